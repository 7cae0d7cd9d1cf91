"""Warnings of what can be trained but is hardly meant."""

import numpy as np
import pytest

from alae_jax.data.dataset import ArrayDataset
from alae_jax.runs.schedule import build_schedule
from alae_jax.training.advice import advise
from alae_jax.training.reals import Reals
from tests.support.example_runs import make_style_config

RESOLUTIONS = (4, 8, 16)


def make_config(**fields):
  """A growing run of 16x16 in which nothing is odd."""
  config = make_style_config()
  config.train.images = 10_000
  config.growth.images_per_level = 3000
  config.log.metrics_images = 100
  config.log.pictures_images = 1000
  config.log.checkpoint_images = 1000
  for field, value in fields.items():
    section, name = field.split('__')
    config[section][name] = value
  return config


def advice_on(config, reals=None):
  return advise(config, RESOLUTIONS, build_schedule(config), reals)


def make_reals(train, test=1):
  images = np.zeros((train, 16, 16, 3), np.uint8)
  return Reals(
    ArrayDataset('images', images),
    ArrayDataset('images', images[:test]) if test else None,
  )


@pytest.mark.parametrize(
  'fields',
  [
    {},
    {'growth__images_per_level': 0},
    {'growth__images_per_level': 0, 'train__batch_size': 4096},
    {'growth__images_per_level': 512},  # fades in over 256, a step at 4x4
    {'log__pictures_images': 10_000},
  ],
)
def test_what_is_meant_is_passed_over(fields):
  assert advice_on(make_config(**fields), make_reals(5000)) == []


@pytest.mark.parametrize(
  ('fields', 'said'),
  [
    (
      {'growth__images_per_level': 6000},
      'training ends at 8x8 of 16x16: growth.images_per_level is 6,000 and '
      'train.images 10,000',
    ),
    (
      {'growth__images_per_level': 1},
      'growth.images_per_level is 1, less than a step of 256 images',
    ),
    (
      {'growth__images_per_level': 255},
      'growth.images_per_level is 255, less than a step of 256 images',
    ),
    (
      {
        'growth__images_per_level': 300,
        'growth__batch_sizes': (16, 256, 16),
      },
      'growth.images_per_level is 300: a level fades in over half of that',
    ),
    (
      {'log__checkpoint_images': 20_000, 'log__metrics_images': 20_000},
      'log.metrics_images, log.checkpoint_images: more than the 10,0',
    ),
  ],
)
def test_what_is_odd_is_told_once(fields, said):
  (line,) = advice_on(make_config(**fields))
  assert line.startswith(said)


def test_a_step_of_more_images_than_there_are():
  (line,) = advice_on(make_config(), make_reals(255))
  assert line == (
    "a step takes 256 images and dataset 'images' has 255 to train on: it sees "
    'some more than once'
  )
  assert advice_on(make_config(), make_reals(256)) == []


def test_no_test_images():
  (line,) = advice_on(make_config(), make_reals(5000, test=0))
  assert line == (
    "dataset 'images' has no test images: pictures show training images"
  )
