"""Prepared datasets that are not what they were: one line, never silence."""

import shutil

import numpy as np
import pytest
from etils import epath

from alae_jax.data import (
  checksums,
  datasets,
  inventory,
  pipeline,
  prepare,
)
from alae_jax.errors import UserError
from tests.support.example_data import write_images

SHARD = 'faces-train.array_record-00000-of-00001'


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """A dataset of 60 images, 8x8 and 4x4, of two splits."""
  path = tmp_path_factory.mktemp('data')
  write_images(path / 'images', count=60, side=8)
  prepare.prepare('faces', path / 'images', path, test_images=20)
  return path


@pytest.fixture
def level(whole, tmp_path):
  """A copy to damage."""
  shutil.copytree(whole / 'faces', tmp_path / 'faces')
  return epath.Path(tmp_path) / 'faces' / '8' / '1.0.0'


def read(level):
  """Opens and reads everything; returns the images."""
  data_dir = level.parents[2]
  found = []
  for split in ('train', 'test'):
    dataset = datasets.open_dataset('faces', data_dir, split, 8)
    found.append(dataset.batch(range(len(dataset)))['image'])
  return np.concatenate(found)


def refused(level, match):
  with pytest.raises(UserError, match=match) as caught:
    read(level)
  assert '\n' not in str(caught.value)
  assert 'prepare the dataset again' in str(caught.value)


def test_what_is_whole_passes(level):
  assert len(read(level)) == 60
  assert list(checksums.check_all(level)) == []


@pytest.mark.parametrize('name', [
  SHARD, SHARD.replace('train', 'test'), 'features.json', 'metadata.json',
])  # fmt: skip
def test_a_missing_file_is_named(level, name):
  (level / name).unlink()
  refused(level, f'{name} is missing')


@pytest.mark.parametrize('name', [SHARD, 'dataset_info.json', 'features.json'])
@pytest.mark.parametrize('share', [0, 0.3, 0.99])
def test_a_file_cut_short_is_named(level, name, share):
  content = (level / name).read_bytes()
  (level / name).write_bytes(content[: int(len(content) * share)])
  refused(level, f'{name} has .* bytes')


def test_a_shard_of_another_level_or_split_is_named(level):
  other = level.parents[1] / '4' / '1.0.0'
  for source in (other / SHARD, level / SHARD.replace('train', 'test')):
    shutil.copy(source, level / SHARD)
    refused(level, f'{SHARD} has changed since it was made')


@pytest.mark.parametrize('name', ['dataset_info.json', 'features.json'])
def test_a_changed_description_is_named(level, name):
  content = bytearray((level / name).read_bytes())
  content[len(content) // 2] ^= 1
  (level / name).write_bytes(content)
  refused(level, f'{name} has changed')


def test_damaged_checksums_are_named(level):
  for text in ('', '{', '[]', '{"files": {"a": 1}}'):
    (level / checksums.FILE).write_text(text)
    refused(level, f'{checksums.FILE} is damaged')


@pytest.mark.parametrize('with_checksums', [True, False])
def test_changed_bytes_never_make_another_image(level, with_checksums):
  """At many places of a shard; without checksums as datasets of TFDS are."""
  wanted = read(level)
  if not with_checksums:
    (level / checksums.FILE).unlink()
  content = (level / SHARD).read_bytes()
  rng = np.random.default_rng(0)
  noticed = 0
  filled = np.flatnonzero(np.frombuffer(content, np.uint8))
  for place in rng.choice(filled, 40):
    damaged = bytearray(content)
    damaged[place] ^= 1 << int(rng.integers(8))
    (level / SHARD).write_bytes(damaged)
    try:
      np.testing.assert_array_equal(read(level), wanted)
    except UserError as error:
      noticed += 1
      assert SHARD in str(error)
      assert '\n' not in str(error)
    if with_checksums:
      assert len(list(checksums.check_all(level))) == 1
  assert noticed == 40


@pytest.mark.parametrize('share', [0.1, 0.5, 0.9, 0.999])
def test_without_checksums_a_short_shard_is_named_too(level, share):
  (level / checksums.FILE).unlink()
  content = (level / SHARD).read_bytes()
  (level / SHARD).write_bytes(content[: int(len(content) * share)])
  with pytest.raises(UserError, match=SHARD):
    read(level)


def test_damage_amid_training_ends_the_stream(level):
  dataset = datasets.open_dataset('faces', level.parents[2], 'train', 8)
  content = bytearray((level / SHARD).read_bytes())
  middle = len(content) // 2
  content[middle : middle + 200] = bytes(200)
  (level / SHARD).write_bytes(content)
  batches = pipeline.train_batches(dataset, 0, 8)
  with pytest.raises(UserError, match=SHARD):
    for _ in range(20):
      next(batches)
  batches.close()


def test_a_level_of_another_resolution_is_named(level):
  other = level.parents[1] / '4'
  shutil.rmtree(level.parent)
  shutil.copytree(other, level.parent)
  refused(level, f'{level} holds images of 4x4, not 8x8')


def test_every_damaged_file_is_listed(level):
  for name in (SHARD, 'features.json'):
    (level / name).unlink()
  faults = inventory.check(inventory.describe(level))
  assert len(faults) == 2
  assert all('is missing' in fault for fault in faults)


@pytest.mark.parametrize('count', [39, 41])
def test_a_count_that_does_not_match_is_named(level, count):
  (level / checksums.FILE).unlink()
  info = level / 'dataset_info.json'
  info.write_text(info.read_text().replace('"40"', f'"{count}"'))
  refused(level, f'{SHARD} holds 40 images, and .*json says {count}')
