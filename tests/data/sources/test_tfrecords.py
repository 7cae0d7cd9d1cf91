"""TFRecords that are damaged, or at odds."""

import struct

import google_crc32c
import numpy as np
import pytest
from etils import epath
from tensorflow_datasets.proto import tf_example_pb2

from alae_jax.data.sources import base, tfrecords
from alae_jax.errors import UserError


def _masked(content):
  crc = google_crc32c.value(content)
  return struct.pack('<I', ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _record(shape=(3, 2, 2), label=None, size=12):
  example = tf_example_pb2.Example()
  feature = example.features.feature
  feature['data'].bytes_list.value.append(bytes(size))
  feature['shape'].int64_list.value.extend(shape)
  if label is not None:
    feature['label'].int64_list.value.append(label)
  content = example.SerializeToString()
  length = struct.pack('<Q', len(content))
  return length + _masked(length) + content + _masked(content)


@pytest.mark.parametrize('shape', [(3, -2, -2), (3, 0, 0), (3, 4), (2, 2, 3)])
def test_a_record_of_an_odd_shape_is_a_bad_image(tmp_path, shape):
  path = epath.Path(tmp_path / 'a.tfrecords')
  size = 0 if 0 in shape else 12
  path.write_bytes(_record() + _record(shape, size=size))
  source = tfrecords.open_source(path)
  with pytest.raises(base.BadImage, match='shape'):
    source.read(1)


def test_a_damaged_record_keeps_the_others_labels(tmp_path):
  path = epath.Path(tmp_path / 'a.tfrecords')
  damaged = bytearray(_record(label=1))
  damaged[-6] ^= 1
  path.write_bytes(_record(label=2) + damaged + _record(label=1))
  source = tfrecords.open_source(path)
  assert list(source.labels.of_images[[0, 2]]) == [2, 1]
  with pytest.raises(base.BadImage, match='checksum'):
    source.read(1)


def test_a_record_without_the_others_label_leaves_them_without(tmp_path):
  path = epath.Path(tmp_path / 'a.tfrecords')
  path.write_bytes(_record(label=2) + _record())
  assert tfrecords.open_source(path).labels is None


def test_a_records_class_is_bounded(tmp_path):
  path = epath.Path(tmp_path / 'a.tfrecords')
  path.write_bytes(_record(label=1 << 60))
  with pytest.raises(UserError, match='class'):
    tfrecords.open_source(path)


@pytest.mark.parametrize('labels', [[-1, 0], [0.5, 1], ['a', 'b']])
def test_a_file_of_labels_holds_whole_numbers(tmp_path, labels):
  path = epath.Path(tmp_path / 'a-r01.tfrecords')
  path.write_bytes(_record() * 2)
  with open(tmp_path / 'a-rxx.labels', 'wb') as file:
    np.save(file, np.array(labels))
  with pytest.raises(UserError, match='whole numbers'):
    tfrecords.open_source(path)


def test_labels_of_another_dataset_beside_are_not_taken(tmp_path):
  path = epath.Path(tmp_path / 'a-r01.tfrecords')
  path.write_bytes(_record() * 2)
  for name, labels in [('ab-rxx.labels', [0]), ('a-rxx.labels', [0, 1])]:
    with open(tmp_path / name, 'wb') as file:
      np.save(file, np.array(labels))
  assert list(tfrecords.open_source(path).labels.of_images) == [0, 1]
