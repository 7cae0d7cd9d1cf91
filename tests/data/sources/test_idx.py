import gzip

import numpy as np
import pytest

from alae_jax.data.sources import idx
from alae_jax.errors import UserError
from tests.support.example_data import (
  SHARED,
  idx_bytes,
  random_mnist,
  write_mnist,
)

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def test_reads_a_file_written_by_hand(tmp_path):
  path = tmp_path / 'images'
  header = bytes.fromhex('00000803 00000001 00000002 00000003')
  path.write_bytes(header + bytes([1, 2, 3, 4, 5, 255]))
  np.testing.assert_array_equal(
    idx.read_idx(path, 3), [[[1, 2, 3], [4, 5, 255]]]
  )


def test_gzip_is_known_by_content_not_name(tmp_path):
  zipped, plain = tmp_path / 'zipped', tmp_path / 'plain.gz'
  zipped.write_bytes(gzip.compress(idx_bytes(IMAGES)))
  plain.write_bytes(idx_bytes(IMAGES))
  for path in zipped, plain:
    np.testing.assert_array_equal(idx.read_idx(path, 3), IMAGES)


def _wrong_gzip():
  return gzip.compress(idx_bytes(IMAGES), mtime=0)[:-12]


@pytest.mark.parametrize(
  ('content', 'message'),
  [
    (idx_bytes(IMAGES)[:-1], 'cut short.*24 values.*holds 23'),
    (idx_bytes(IMAGES) + b'x', 'too long.*24 values.*holds 25'),
    (idx_bytes(IMAGES)[:9], 'cut short in its header'),
    (idx_bytes(IMAGES[0]), 'starts with 0x00000802, not 0x00000803'),
    (b'<html>', 'starts with 0x3c68746d'),
    (b'', 'not an IDX file'),
    (_wrong_gzip(), 'damaged gzip'),
    (b'\x1f\x8bnonsense, but long enough', 'damaged gzip'),
  ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, content, message):
  path = tmp_path / 'some-file'
  path.write_bytes(content)
  with pytest.raises(UserError, match=f'some-file.*{message}') as caught:
    idx.read_idx(path, 3)
  assert '\n' not in str(caught.value)


def test_a_missing_file_is_refused_by_name(tmp_path):
  with pytest.raises(UserError, match='absent: no such file'):
    idx.read_idx(tmp_path / 'absent', 3)


def test_images_and_labels_must_be_as_many(tmp_path):
  (tmp_path / 'images').write_bytes(idx_bytes(IMAGES))
  (tmp_path / 'labels').write_bytes(idx_bytes(np.zeros(3, np.uint8)))
  paths = {'image': tmp_path / 'images', 'label': tmp_path / 'labels'}
  with pytest.raises(UserError, match=r'2 images.*3 labels'):
    idx.read_split(paths)


@pytest.mark.parametrize('zipped', [False, True])
@pytest.mark.parametrize('separator', ['-', '.'])
def test_both_spellings_are_found(tmp_path, zipped, separator):
  data = random_mnist(train=3, test=2)
  write_mnist(tmp_path, data, zipped)
  for path in list(tmp_path.iterdir()):
    path.rename(path.with_name(path.name.replace('-idx', separator + 'idx')))
  files = idx.find_files(tmp_path)
  for split in ('train', 'test'):
    found = idx.read_split(files[split])
    np.testing.assert_array_equal(found['image'][..., 0], data[split]['image'])
    np.testing.assert_array_equal(found['label'], data[split]['label'])


def test_a_folder_without_the_files_is_refused(tmp_path):
  with pytest.raises(UserError, match='has no train-images-idx3-ubyte'):
    idx.find_files(tmp_path)
  with pytest.raises(UserError, match='no such folder'):
    idx.find_files(tmp_path / 'absent')


@pytest.mark.skipif(not (SHARED / 'mnist').is_dir(), reason='no MNIST here')
def test_the_real_mnist():
  files = idx.find_files(SHARED / 'mnist')
  train, test = (idx.read_split(files[split]) for split in ('train', 'test'))
  assert train['image'].shape == (60_000, 28, 28, 1)
  assert test['image'].shape == (10_000, 28, 28, 1)
  assert train['label'][:5].tolist() == [5, 0, 4, 1, 9]
  assert round(float(train['image'].mean() / 255), 4) == 0.1307
