"""Datasets that are almost nothing: training starts, and says what is odd."""

import shutil

import pytest

from alae_jax.data import prepare
from alae_jax.data.datasets import Missing
from alae_jax.errors import UserError
from alae_jax.training import loop
from alae_jax.training.reals import open_reals
from tests.support.example_data import write_images
from tests.support.runs import final_state, make_tiny_config
from tests.support.verbs import pixels


def prepare_few(root, count, copies=1):
  """A dataset `images` of so many images, and a config for it."""
  write_images(root / 'pictures', count=count, side=8)
  for i in range(1, copies):
    shutil.copy(root / 'pictures' / '00.png', root / 'pictures' / f'c{i}.png')
  prepare.prepare('images', root / 'pictures', root / 'data', channels=1)
  config = make_tiny_config()
  config.data.name = 'images'
  config.data.data_dir = str(root / 'data')
  config.train.images = 32
  return config


@pytest.mark.parametrize(('count', 'copies'), [(1, 1), (1, 2), (7, 1)])
def test_training_without_test_images(tmp_path, count, copies):
  config = prepare_few(tmp_path, count, copies)
  reals = open_reals(config, 8)
  assert (len(reals.train), reals.test) == (count + copies - 1, None)
  loop.train(config, str(tmp_path / 'run'))
  assert int(final_state(tmp_path / 'run').images_seen) == 32
  assert pixels(tmp_path / 'run' / 'pictures' / 'reals.png').size
  log = (tmp_path / 'run' / 'log.txt').read_text()
  for said in (
    "warning: a step takes 16 images and dataset 'images' has ",
    "warning: dataset 'images' has no test images: pictures show",
  ):
    assert log.count(said) == 1


def test_pictures_show_test_images_where_there_are_any(tmp_path):
  config = prepare_few(tmp_path, 10)
  reals = open_reals(config, 8)
  assert (len(reals.train), len(reals.test)) == (9, 1)
  assert reals.shown is reals.test


def test_a_metric_that_needs_test_images_is_refused_at_the_start(tmp_path):
  config = prepare_few(tmp_path, 7)
  config.evaluation.at_end = ('probe',)
  with pytest.raises(UserError, match=r"probe needs labels.*'images' has"):
    loop.train(config, str(tmp_path / 'run'))
  assert not (tmp_path / 'run').exists()


def test_other_channels_are_told_by_the_datasets_name(tmp_path):
  config = prepare_few(tmp_path, 1)
  config.model.channels = 3
  with pytest.raises(
    UserError, match=r"channels is 3, and dataset 'images' has 1$"
  ):
    open_reals(config, 8)


def test_an_imported_run_is_told_to_name_its_dataset(tmp_path):
  config = make_tiny_config()
  config.data.name = 'unnamed'
  with pytest.raises(Missing, match=r'--config\.data\.name=NAME') as error:
    loop.train(config, str(tmp_path / 'run'))
  assert 'prepare' not in str(error.value)


def test_what_is_missing_is_to_be_made_at_the_last_resolution(tmp_path):
  config = make_tiny_config()
  config.data.name = 'images'
  config.data.data_dir = str(tmp_path)
  config.model.kind = 'style'
  config.model.levels = 3
  config.model.resolution = 16
  config.growth.images_per_level = 1000
  config.train.images = 10_000
  with pytest.raises(Missing, match='--resolution 16'):
    loop.train(config, str(tmp_path / 'run'))
