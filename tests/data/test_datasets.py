import numpy as np
import pytest

from alae_jax.data import dataset as dataset_lib
from alae_jax.data import datasets, digits, prepare
from alae_jax.errors import UserError
from tests.support.example_data import random_mnist, write_images, write_mnist


@pytest.fixture(scope='module')
def data():
  return random_mnist(train=600, test=30)


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory, data):
  """A data_dir with mnist (28, and 32 and below) and a folder of images."""
  root = tmp_path_factory.mktemp('data')
  write_mnist(root / 'idx', data)
  prepare.prepare('mnist', root / 'idx', root)
  write_images(root / 'pictures', count=10, side=8)
  prepare.prepare('cats', root / 'pictures', root, test_images=2)
  return root


def test_the_digits_are_there_without_data():
  train = datasets.open_dataset('digits', 'absent', 'train', 8)
  test = datasets.open_dataset('digits', 'absent', 'test', 8)
  assert [len(train), len(test)] == [1500, 297]
  assert (train.resolution, train.channels, train.num_classes) == (8, 1, 10)
  assert train[0]['image'].shape == (8, 8, 1)
  assert train[0]['image'].dtype == np.uint8
  # The first row of the first digit, a 0, is 0 0 5 13 9 1 0 0 of 16.
  row = train[0]['image'][0, :, 0]
  np.testing.assert_array_equal(row, [0, 0, 80, 207, 143, 16, 0, 0])
  assert train[0]['label'] == 0
  assert train.batch(range(1500))['image'].max() == 255


def test_the_digits_split_is_balanced():
  for split, low, high in (('train', 146, 153), ('test', 27, 33)):
    counts = np.bincount(digits.load_digits(split)[1])
    assert counts.min() >= low
    assert counts.max() <= high


def test_a_prepared_dataset(data_dir, data):
  source = datasets.open_dataset('mnist', data_dir, 'test', 28)
  assert (source.name, source.resolution, source.channels) == ('mnist', 28, 1)
  assert source.has_labels
  assert source.num_classes == 10
  assert len(source) == 30
  example = source[7]
  np.testing.assert_array_equal(
    example['image'][..., 0], data['test']['image'][7]
  )
  assert example['label'] == data['test']['label'][7]
  assert isinstance(example['label'], int)


def test_a_dataset_without_labels(data_dir):
  source = datasets.open_dataset('cats', data_dir, 'train', 4)
  assert not source.has_labels
  assert source.num_classes is None
  assert source.channels == 3
  assert set(source[0]) == {'image'}
  assert set(source.batch([1, 0])) == {'image'}


def test_one_by_one_and_many_at_once_agree(data_dir):
  source = datasets.open_dataset('mnist', data_dir, 'train', 28)
  indices = [3, 599, 0, 3]
  batch = source.batch(np.asarray(indices))
  assert batch['image'].dtype == np.uint8
  assert batch['label'].dtype == np.int64
  for i, image, label in zip(
    indices, batch['image'], batch['label'], strict=True
  ):
    np.testing.assert_array_equal(source[i]['image'], image)
    assert source[i]['label'] == label


@pytest.mark.parametrize('name', ['mnist', 'cats'])
def test_in_memory_changes_nothing_but_speed(data_dir, name):
  resolution = {'mnist': 28, 'cats': 8}[name]
  source = datasets.open_dataset(name, data_dir, 'train', resolution)
  decoded = dataset_lib.in_memory(source)
  assert isinstance(decoded, dataset_lib.ArrayDataset)
  assert len(decoded) == len(source)
  for attribute in ('name', 'resolution', 'channels', 'num_classes'):
    assert getattr(decoded, attribute) == getattr(source, attribute)
  before, after = (s.batch(range(len(s))) for s in (source, decoded))
  assert set(before) == set(after)
  for key in before:
    np.testing.assert_array_equal(before[key], after[key])


def test_in_memory_keeps_within_its_limit(data_dir):
  source = datasets.open_dataset('mnist', data_dir, 'train', 28)
  assert dataset_lib.in_memory(source, 600 * 28 * 28 - 1) is source
  decoded = dataset_lib.in_memory(source, 600 * 28 * 28)
  assert decoded is not source
  assert dataset_lib.in_memory(decoded, 0) is decoded


@pytest.mark.parametrize(
  ('name', 'resolution', 'message'),
  [
    ('digits', 16, "'digits' is 8x8, not 16x16"),
    (
      'fashion_mnist', 28,
      "no dataset 'fashion_mnist' at 28x28 in DIR; make it with: "
      'alae prepare fashion_mnist --data_dir DIR',
    ),
    (
      'mnist', 16,
      "no dataset 'mnist' at 16x16 in DIR (there: 28x28); make it with: "
      'alae prepare mnist --resolution 32 --data_dir DIR',
    ),
    ('mnist', 64, 'mnist is 28x28, or padded to 32x32'),
    ('unnamed', 8, 'an imported run does not know its dataset; give --config.'),
    (
      'dogs', 8,
      "no dataset 'dogs' at 8x8 in DIR; make it with: "
      'alae prepare dogs --source FOLDER --resolution 8 --data_dir DIR',
    ),
    (
      'cats', 64,
      "no dataset 'cats' at 64x64 in DIR (there: 4x4, 8x8); make it with: "
      'alae prepare cats --source FOLDER --resolution 64 --overwrite '
      '--data_dir DIR',
    ),
  ],
)  # fmt: skip
def test_what_is_missing_is_told_with_the_command(
  data_dir, name, resolution, message
):
  with pytest.raises(UserError) as caught:
    datasets.open_dataset(name, data_dir, 'train', resolution)
  assert message in str(caught.value).replace(str(data_dir), 'DIR')


def test_a_small_dataset_has_no_test_images(tmp_path):
  write_images(tmp_path / 'pictures', count=7, side=4)
  prepare.prepare('few', tmp_path / 'pictures', tmp_path)
  where = 'few', tmp_path
  assert datasets.has_split(*where, 'train', 4)
  assert not datasets.has_split(*where, 'test', 4)
  with pytest.raises(UserError, match='no test images, only train: prepare it'):
    datasets.open_dataset(*where, 'test', 4)
  with pytest.raises(datasets.Missing, match="no dataset 'few' at 8x8"):
    datasets.has_split(*where, 'test', 8)


def test_a_wrong_split_is_refused(data_dir):
  with pytest.raises(UserError, match="split 'valid' is not one of train"):
    datasets.open_dataset('mnist', data_dir, 'valid', 28)
