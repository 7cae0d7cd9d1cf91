"""Datasets that TFDS itself has prepared, under its own names."""

import io
import shutil
from typing import ClassVar

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds

from alae_jax.data import (
  checksums,
  datasets,
  inventory,
  prepare,
  tfds_folders,
)
from alae_jax.data.sources import finding
from alae_jax.errors import UserError
from tests.support.example_data import random_mnist, write_mnist


def encoded(image, kind):
  file = io.BytesIO()
  PIL.Image.fromarray(image).save(file, kind)
  return file.getvalue()


class Beasts(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Small squares with classes, another feature, and three splits."""

  VERSION = tfds.core.Version('3.0.2')
  name = 'beasts'

  def _info(self):
    return self.dataset_info_from_configs(
      features=tfds.features.FeaturesDict(
        {
          'id': tfds.features.Text(),
          'picture': tfds.features.Image(
            shape=(8, 8, 3), encoding_format='png'
          ),
          'kind': tfds.features.ClassLabel(names=['newt', 'toad']),
        }
      ),
    )

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples(5, 0),
            'validation': self._generate_examples(3, 1)}  # fmt: skip

  def _generate_examples(self, count, seed):
    for i, image in enumerate(pictures(count, seed)):
      yield (
        i,
        {
          'id': f'{i}',
          'picture': io.BytesIO(encoded(image, 'png')),
          'kind': i % 2,
        },
      )


class Rooms(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Photographs of many sizes, in configs, as TFDS has LSUN."""

  VERSION = tfds.core.Version('3.0.0')
  BUILDER_CONFIGS: ClassVar = [
    tfds.core.BuilderConfig(name=name) for name in ('bedroom', 'kitchen')
  ]
  name = 'rooms'

  def _info(self):
    return self.dataset_info_from_configs(
      features=tfds.features.FeaturesDict(
        {'image': tfds.features.Image(encoding_format='jpeg')}
      ),
    )

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples()}

  def _generate_examples(self):
    for i in range(4):
      image = PIL.Image.new('RGB', (16 + i, 20), (i * 50, 0, 0))
      yield i, {'image': io.BytesIO(encoded(np.asarray(image), 'jpeg'))}


def pictures(count, seed):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (count, 8, 8, 3), np.uint8)


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  """Made by TFDS, without TensorFlow."""
  path = tmp_path_factory.mktemp('tfds')
  for builder in (
    Beasts(data_dir=path),
    Rooms(data_dir=path, config='bedroom'),
    Rooms(data_dir=path, config='kitchen'),
  ):
    builder.download_and_prepare(file_format='array_record')
  return path


@pytest.mark.parametrize('name', ['beasts', 'beasts:3.0.2'])
def test_it_is_trained_on_under_its_own_name(data_dir, name):
  for split, count, seed in (('train', 5, 0), ('test', 3, 1)):
    dataset = datasets.open_dataset(name, data_dir, split, 8)
    batch = dataset.batch(range(len(dataset)))
    # TFDS shuffles when it writes.
    assert sorted(map(bytes, batch['image'])) == sorted(
      map(bytes, pictures(count, seed))
    )
    assert dataset.class_names == ['newt', 'toad']
    assert datasets.has_split(name, data_dir, split, 8)


@pytest.mark.parametrize(
  ('name', 'resolution', 'message'),
  [
    ('beasts', 16, r"'beasts' of TFDS is 8x8, not 16x16: make a dataset of"),
    ('rooms/bedroom', 8, 'of TFDS is of many sizes, not 8x8: make a dataset'),
    ('rooms', 8, 'several configs: name one of rooms/bedroom, rooms/kitchen'),
    ('beasts:9.9.9', 8, "no dataset 'beasts:9.9.9' at 8x8"),
    ('rooms/attic', 8, "no dataset 'rooms/attic' at 8x8"),
  ],
)
def test_what_can_not_be_trained_on_says_why(
  data_dir, name, resolution, message
):
  with pytest.raises(UserError, match=message) as caught:
    datasets.open_dataset(name, data_dir, 'train', resolution)
  assert '\n' not in str(caught.value)


def test_the_advice_makes_the_pyramid(data_dir, tmp_path):
  prepare.prepare('newts', 'tfds:beasts', data_dir)
  assert set(datasets.available('newts', data_dir)) == {8, 4}
  for split, count, seed in (('train', 5, 0), ('test', 3, 1)):
    dataset = datasets.open_dataset('newts', data_dir, split, 8)
    batch = dataset.batch(range(len(dataset)))
    assert sorted(map(bytes, batch['image'])) == sorted(
      map(bytes, pictures(count, seed))
    )
  assert dataset.class_names == ['newt', 'toad']
  folder = tfds_folders.find('rooms/bedroom', data_dir)
  for i, source in enumerate(('tfds:rooms/bedroom:3.0.0', folder)):
    prepare.prepare(f'rooms{i}', source, data_dir, test_images=0)
    assert max(datasets.available(f'rooms{i}', data_dir)) == 16


def test_a_dataset_of_tfrecords_says_what_to_do(data_dir, tmp_path):
  folder = tfds_folders.find('beasts', data_dir)
  text = (folder / 'dataset_info.json').read_text()
  other = tmp_path / 'beasts' / '3.0.2'
  other.mkdir(parents=True)
  for path in folder.iterdir():
    (other / path.name.replace('array_record', 'tfrecord')).write_bytes(
      path.read_bytes()
    )
  (other / 'dataset_info.json').write_text(
    text.replace('array_record', 'tfrecord')
  )
  with pytest.raises(UserError, match=r"in tfrecord.*='array_record'"):
    datasets.open_dataset('beasts', tmp_path, 'train', 8)
  with pytest.raises(UserError, match=r"in tfrecord.*='array_record'"):
    finding.open_source('tfds:beasts', data_dir=tmp_path)


@pytest.mark.parametrize('share', [None, 0, 0.5, 0.99])
def test_a_damaged_shard_is_told_in_one_line(data_dir, tmp_path, share):
  shutil.copytree(data_dir / 'beasts', tmp_path / 'beasts')
  folder = tfds_folders.find('beasts', tmp_path)
  shard = folder / 'beasts-train.array_record-00000-of-00001'
  content = shard.read_bytes()
  shard.unlink()
  if share is None:
    assert inventory.check(inventory.describe(folder)) == [
      f'{shard} is missing: {checksums.GET_BACK}'
    ]
  else:
    shard.write_bytes(content[: int(len(content) * share)])
  with pytest.raises(UserError, match=f'{folder} is damaged') as caught:
    finding.open_source('tfds:beasts', data_dir=tmp_path)
  assert '\n' not in str(caught.value)


def test_a_stock_builder_where_tensorflow_is(tmp_path, monkeypatch):
  """TFDS' own MNIST, of files that it would download."""
  pytest.importorskip('tensorflow')
  from tensorflow_datasets.image_classification import mnist

  data = random_mnist(train=12, test=5)
  files = write_mnist(tmp_path / 'idx', data, zipped=False)
  for name, count in (('_TRAIN_EXAMPLES', 12), ('_TEST_EXAMPLES', 5)):
    monkeypatch.setattr(mnist, name, count)

  def local(_, urls):
    names = {k: url.rpartition('/')[2] for k, url in urls.items()}
    return {k: files / n.removesuffix('.gz') for k, n in names.items()}

  monkeypatch.setattr(
    tfds.download.DownloadManager, 'download_and_extract', local
  )
  builder = tfds.builder('mnist', data_dir=tmp_path)
  builder.download_and_prepare(file_format='array_record')
  for split in ('train', 'test'):
    dataset = datasets.open_dataset('mnist', tmp_path, split, 28)
    batch = dataset.batch(range(len(dataset)))
    found = {
      (image.tobytes(), int(label))
      for image, label in zip(batch['image'], batch['label'], strict=True)
    }
    wanted = zip(data[split]['image'], data[split]['label'], strict=True)
    assert found == {(image.tobytes(), int(label)) for image, label in wanted}
  prepare.prepare('digits28', 'tfds:mnist', tmp_path, 4)
  assert set(datasets.available('digits28', tmp_path)) == {4}
