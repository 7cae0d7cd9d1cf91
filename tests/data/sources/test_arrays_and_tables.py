"""NumPy, IDX, TFRecords, Parquet and LMDB: labels, splits and shapes."""

import contextlib
import io

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from etils import epath

from alae_jax.data.sources import (
  base,
  idx,
  lsun_lmdb,
  numpy_arrays,
  parquet,
  tfrecords,
)
from alae_jax.errors import UserError
from tests.support.example_data import random_mnist, write_mnist
from tests.support.example_sources import (
  example,
  png,
  random_images,
  record,
  write_lmdb,
  write_parquet,
  write_tfrecords,
)

IMAGES = random_images(6)


def opened(module, path):
  return module.open_source(epath.Path(path))


def read_all(source):
  return np.stack([source.read(i) for i in range(len(source))])


@pytest.mark.parametrize(
  ('array', 'wanted'),
  [
    (IMAGES, IMAGES),
    (np.moveaxis(IMAGES, 3, 1), IMAGES),
    (IMAGES[..., 0], IMAGES[..., :1]),
    (IMAGES[..., :1], IMAGES[..., :1]),
    (IMAGES.astype(np.uint16) * 257, IMAGES.astype(np.uint16) * 257),
  ],
)
def test_one_array_of_any_layout(tmp_path, array, wanted):
  np.save(tmp_path / 'a.npy', array)
  np.savez(tmp_path / 'b.npz', images=array)
  np.savez_compressed(tmp_path / 'c.npz', array)
  for name in ('a.npy', 'b.npz', 'c.npz'):
    source = opened(numpy_arrays, tmp_path / name)
    np.testing.assert_array_equal(read_all(source), wanted)


@pytest.mark.parametrize('lead', [(), (1,)])
@pytest.mark.parametrize('first', [True, False])
def test_an_array_for_every_image(tmp_path, lead, first):
  """As CelebA-HQ's own tool writes them: 1 x 3 x H x W."""
  for i, image in enumerate(IMAGES):
    array = np.moveaxis(image, 2, 0) if first else image
    np.save(tmp_path / f'imgHQ{i:05d}.npy', array.reshape(*lead, *array.shape))
  source = opened(numpy_arrays, tmp_path)
  assert source.names[2] == 'imgHQ00002.npy'
  np.testing.assert_array_equal(read_all(source), IMAGES)


def test_arrays_with_labels_and_splits(tmp_path):
  np.savez(
    tmp_path / 'mnist.npz',
    x_train=IMAGES[:4, ..., 0], y_train=np.array([1, 0, 2, 1]),
    x_test=IMAGES[4:, ..., 0], y_test=np.eye(3)[[2, 2]].astype(np.uint8),
  )  # fmt: skip
  source = opened(numpy_arrays, tmp_path / 'mnist.npz')
  np.testing.assert_array_equal(source.splits['train'], range(4))
  np.testing.assert_array_equal(source.splits['test'], [4, 5])
  np.testing.assert_array_equal(source.labels.of_images, [1, 0, 2, 1, 2, 2])


@pytest.mark.parametrize(
  ('labels', 'wanted'),
  [
    (np.array([2, 0, 1, 1, 0, 2]), [2, 0, 1, 1, 0, 2]),
    (np.array([[2], [0], [1], [1], [0], [2]]), [2, 0, 1, 1, 0, 2]),
    (np.eye(3)[[2, 0, 1, 1, 0, 2]], [2, 0, 1, 1, 0, 2]),
    (np.ones((6, 40), np.uint8), None),  # attributes
    (np.array([-1, 0, 1, 1, 0, 2]), None),  # some are unknown
    (np.full(6, 0.5), None),
  ],
)
def test_labels_are_classes_or_left_aside(tmp_path, labels, wanted):
  np.savez(tmp_path / 'a.npz', images=IMAGES, labels=labels)
  found = opened(numpy_arrays, tmp_path / 'a.npz').labels
  if wanted is None:
    assert found is None
  else:
    np.testing.assert_array_equal(found.of_images, wanted)


def test_where_both_layouts_could_be_images_are_squares(tmp_path):
  small = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
  np.save(tmp_path / 'first.npy', small)
  np.save(tmp_path / 'last.npy', np.moveaxis(small, 1, 3))
  for name in ('first', 'last'):
    np.testing.assert_array_equal(
      read_all(opened(numpy_arrays, tmp_path / f'{name}.npy')),
      np.moveaxis(small, 1, 3),
    )


@pytest.mark.parametrize('name', ['a.npy', 'a.npz'])
def test_any_flipped_byte_is_told_with_the_files_name(tmp_path, name):
  path = tmp_path / name
  np.savez(path, images=IMAGES) if name == 'a.npz' else np.save(path, IMAGES)
  content = path.read_bytes()
  for place in range(0, 300):
    damaged = bytearray(content)
    damaged[place] ^= 0x20
    path.write_bytes(damaged)
    try:
      source = opened(numpy_arrays, path)
    except UserError as error:
      assert name in str(error)
      assert '\n' not in str(error)
      continue
    for i in range(min(len(source), 20)):
      with contextlib.suppress(base.BadImage):
        source.read(i)


@pytest.mark.parametrize(
  ('arrays', 'message'),
  [
    ({'images': IMAGES / 255}, 'float64: store pixels as uint8'),
    ({'images': IMAGES.astype(np.int64)}, 'int64: store pixels as uint8'),
    ({'images': IMAGES[..., :2]}, r'shape \(6, 8, 8, 2\) holds no images'),
    ({'images': IMAGES[0, 0, 0]}, r'shape \(3,\) holds no images'),
    ({'a': IMAGES, 'b': IMAGES}, "call the array of images 'images'"),
    ({'images': np.array([{}])}, 'holds Python objects'),
    ({'images': IMAGES, 'labels': np.zeros(5, int)}, 'no classes of 6 images'),
  ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path, arrays, message):
  np.savez(tmp_path / 'a.npz', **arrays)
  with pytest.raises(UserError, match=message):
    opened(numpy_arrays, tmp_path / 'a.npz')


def test_the_four_idx_files(tmp_path):
  data = random_mnist(train=7, test=3)
  source = opened(idx, write_mnist(tmp_path, data))
  np.testing.assert_array_equal(source.splits['test'], [7, 8, 9])
  np.testing.assert_array_equal(
    read_all(source)[:7, ..., 0], data['train']['image']
  )
  np.testing.assert_array_equal(
    source.labels.of_images[7:], data['test']['label']
  )
  assert source.labels.names == [str(i) for i in range(10)]


def test_however_idx_is_packed_its_digest_is_the_same(tmp_path):
  data = random_mnist(train=7, test=3)
  one, two = (
    opened(idx, write_mnist(tmp_path / str(zipped), data, zipped))
    for zipped in (True, False)
  )
  assert one.digest == two.digest
  data['test']['image'][1, 2, 3] ^= 1
  other = opened(idx, write_mnist(tmp_path / 'other', data))
  assert one.digest != other.digest


def test_of_several_resolutions_the_largest_is_taken(tmp_path):
  write_tfrecords(tmp_path / 'faces-r02.tfrecords', IMAGES[:, :4, :4])
  write_tfrecords(tmp_path / 'faces-r03.tfrecords', IMAGES)
  np.save(tmp_path / 'faces.labels.npy', np.zeros(3))
  source = opened(tfrecords, tmp_path)
  np.testing.assert_array_equal(read_all(source), IMAGES)
  assert source.labels is None


def test_shards_are_taken_in_order(tmp_path):
  """As ALAE's own tools write them."""
  write_tfrecords(tmp_path / 'faces-r03.tfrecords.000', IMAGES[:4])
  write_tfrecords(tmp_path / 'faces-r03.tfrecords.001', IMAGES[4:])
  np.testing.assert_array_equal(read_all(opened(tfrecords, tmp_path)), IMAGES)


@pytest.mark.parametrize(
  ('labels', 'wanted'),
  [
    (np.eye(4, dtype=np.float32)[[3, 0, 1, 1, 2, 0]], [3, 0, 1, 1, 2, 0]),
    (np.array([1, 0, 1, 1, 0, 0]), [1, 0, 1, 1, 0, 0]),
    (np.zeros((6, 0), np.float32), None),
  ],
)
def test_stylegans_labels_lie_beside(tmp_path, labels, wanted):
  write_tfrecords(tmp_path / 'faces-r03.tfrecords', IMAGES)
  with open(tmp_path / 'faces-rxx.labels', 'wb') as file:
    np.save(file, labels)
  found = opened(tfrecords, tmp_path).labels
  if wanted is None:
    assert found is None
  else:
    np.testing.assert_array_equal(found.of_images, wanted)


def test_labels_of_other_images_are_refused(tmp_path):
  write_tfrecords(tmp_path / 'faces-r03.tfrecords', IMAGES)
  with open(tmp_path / 'faces-rxx.labels', 'wb') as file:
    np.save(file, np.zeros(7, int))
  with pytest.raises(UserError, match='7 labels for 6 images'):
    opened(tfrecords, tmp_path)


def test_records_of_image_files_with_labels(tmp_path):
  path = tmp_path / 'a.tfrecord'
  with open(path, 'wb') as file:
    for i, image in enumerate(IMAGES):
      features = {'image/encoded': png(image), 'image/class/label': [i % 3]}
      file.write(record(example(features)))
  source = opened(tfrecords, path)
  assert source.read(1) == png(IMAGES[1])
  np.testing.assert_array_equal(source.labels.of_images, [0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    (b'', 'TFRecords are empty'),
    (b'\x1f\x8b' + bytes(50), 'packed: gunzip'),
    (bytes(50), 'is no TFRecord file'),
    (record(b'nonsense'), 'its first record'),
    (record(example({'text': b'x'})), 'it has no image, only text'),
    (
      record(example({'data': b'abc', 'shape': [3, 2, 2]})),
      r'3 bytes for a shape of \(3, 2, 2\)',
    ),
  ],
)
def test_records_that_are_no_images_are_refused(tmp_path, content, message):
  (tmp_path / 'a.tfrecords').write_bytes(content)
  with pytest.raises(UserError, match=message):
    opened(tfrecords, tmp_path / 'a.tfrecords')


def test_a_record_whose_content_changed_is_bad(tmp_path):
  path = write_tfrecords(tmp_path / 'a.tfrecords', IMAGES)
  content = bytearray(path.read_bytes())
  content[-60] ^= 1  # amid the last record
  path.write_bytes(content)
  source = opened(tfrecords, path)
  bad = 0
  for i in range(6):
    try:
      np.testing.assert_array_equal(source.read(i), IMAGES[i])
    except base.BadImage as error:
      assert 'checksum' in str(error)
      bad += 1
  assert bad == 1


def test_parquet_of_a_hub(tmp_path):
  """Named classes, and splits by the files' names."""
  names = ['no beard', 'beard']
  (tmp_path / 'data').mkdir()
  for name, rows, labels in (
    ('train-00000-of-00002', slice(0, 2), [0, 1]),
    ('train-00001-of-00002', slice(2, 4), [1, 1]),
    ('test-00000-of-00001', slice(4, 6), [0, 0]),
  ):
    write_parquet(
      tmp_path / 'data' / f'{name}.parquet', IMAGES[rows], labels, names
    )
  source = opened(parquet, tmp_path)
  assert source.labels.names == names
  assert len(source.splits['train']) == 4
  by_split = [
    source.read(int(i)) for s in ('train', 'test') for i in source.splits[s]
  ]
  assert by_split == [png(image) for image in IMAGES]
  np.testing.assert_array_equal(source.labels.of_images, [0, 0, 0, 1, 1, 1])


def test_parquet_without_the_hubs_words(tmp_path):
  table = pyarrow.table({
    'id': list(range(6)), 'picture': [png(image) for image in IMAGES],
    'label': ['b', 'a', 'b', 'c', 'a', 'a'],
  })  # fmt: skip
  pyarrow.parquet.write_table(table, tmp_path / 'a.parquet')
  source = opened(parquet, tmp_path / 'a.parquet')
  assert source.read(5) == png(IMAGES[5])
  assert source.labels.names == ['a', 'b', 'c']
  np.testing.assert_array_equal(source.labels.of_images, [1, 0, 1, 2, 0, 0])


def test_a_row_without_image_is_bad(tmp_path):
  table = pyarrow.table({'image': [{'bytes': png(IMAGES[0])}, {'bytes': None}]})
  pyarrow.parquet.write_table(table, tmp_path / 'a.parquet')
  source = opened(parquet, tmp_path / 'a.parquet')
  assert source.read(0) == png(IMAGES[0])
  with pytest.raises(base.BadImage, match='no image'):
    source.read(1)


@pytest.mark.parametrize(
  ('columns', 'message'),
  [
    ({'text': ['a']}, 'no column of image files, only text'),
    ({'a': [b'x'], 'b': [b'x']}, "a, b: call the one that is meant 'image'"),
    ({'image': pyarrow.array([], pyarrow.binary())}, 'have no rows'),
  ],
)
def test_tables_without_one_column_of_images_are_refused(
  tmp_path, columns, message
):
  pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / 'a.parquet')
  with pytest.raises(UserError, match=message):
    opened(parquet, tmp_path)


def test_lsuns_two_databases_are_two_splits(tmp_path):
  write_lmdb(tmp_path / 'bedroom_train_lmdb', IMAGES[:4])
  write_lmdb(tmp_path / 'bedroom_val_lmdb', IMAGES[4:])
  source = opened(lsun_lmdb, tmp_path)
  np.testing.assert_array_equal(source.splits['test'], [4, 5])
  assert source.read(4) == png(IMAGES[4])
  assert list(source.names)[3:5] == ['03.png', '00.png']
  assert [int(s) for s in source.sizes] == [len(png(i)) for i in IMAGES]


def test_two_classes_of_lsun_are_not_mixed(tmp_path):
  for name in ('bedroom', 'church'):
    write_lmdb(tmp_path / f'{name}_train_lmdb', IMAGES)
  with pytest.raises(UserError, match='several classes of LSUN'):
    opened(lsun_lmdb, tmp_path)


def test_an_empty_or_foreign_database_is_refused(tmp_path):
  write_lmdb(tmp_path / 'empty', IMAGES[:0])
  (tmp_path / 'foreign').mkdir()
  (tmp_path / 'foreign' / 'data.mdb').write_bytes(b'text' * 3000)
  for name, message in (('empty', 'is empty'), ('foreign', 'a damaged LMDB')):
    with pytest.raises(UserError, match=message):
      opened(lsun_lmdb, tmp_path / name)


def test_a_file_in_memory_is_no_argument():
  """Guards the tests above: their PNGs are what Pillow reads back."""
  import PIL.Image

  with PIL.Image.open(io.BytesIO(png(IMAGES[0]))) as image:
    np.testing.assert_array_equal(np.asarray(image), IMAGES[0])
