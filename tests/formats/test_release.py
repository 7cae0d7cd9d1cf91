"""The release's parameter layout: both ways, and what is wrong with a file."""

import re

import jax
import ml_collections
import numpy as np
import pytest

from alae_jax.errors import UserError
from alae_jax.formats import release
from alae_jax.models.networks import build_networks
from tests.support import release_cases

MODEL = {
  'kind': 'style',
  'levels': 6,
  'base_channels': 2,
  'max_channels': 4,
  'channels': 1,
  'z_dim': 3,
  'w_dim': 5,
  'mapping_layers': 2,
  'discriminator_layers': 3,
}
FROM_RGB = 'discriminator/from_rgb.0.from_rgb.weight'


@pytest.fixture(scope='module')
def params():
  networks = build_networks(
    ml_collections.ConfigDict({'model': MODEL, 'train': release_cases.TRAIN})
  )
  shapes = jax.eval_shape(networks.init, jax.random.key(0))
  draw = np.random.default_rng(0).normal
  return jax.tree.map(
    lambda leaf: draw(size=leaf.shape).astype(np.float32), shapes
  )


@pytest.fixture(scope='module')
def mean_w():
  return np.random.default_rng(1).normal(size=(12, 5)).astype(np.float32)


@pytest.fixture
def tensors(params, mean_w):
  return release.to_release(params, mean_w, MODEL)


def test_round_trip_keeps_every_bit(params, mean_w, tensors):
  back, mean = release.from_release(tensors)
  assert jax.tree.structure(back) == jax.tree.structure(params)
  jax.tree.map(np.testing.assert_array_equal, back, params)
  np.testing.assert_array_equal(mean, mean_w)


def test_float32_round_trip_is_within_one_rounding(params, mean_w):
  tensors = release.to_release(params, mean_w, MODEL, np.float32)
  assert {value.dtype for value in tensors.values()} == {np.dtype('float32')}
  back, _ = release.from_release(tensors)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-7), back, params
  )


def test_architecture_is_read_off_the_shapes(tensors):
  assert release.infer_architecture(tensors) == MODEL


def test_a_mean_w_without_layers_is_repeated(params):
  tensors = release.to_release(params, np.arange(5.0), MODEL)
  assert tensors['dlatent_avg/buff'].tolist() == [[0, 1, 2, 3, 4]] * 12


@pytest.mark.parametrize('name', release_cases.names())
def test_the_releases_own_tensors_come_back(name):
  case = release_cases.load(name)
  written = release.to_release(case.params, case.mean_w, case.model)
  assert set(case.tensors) <= set(written)
  for key, value in case.tensors.items():
    assert value.shape == written[key].shape
    np.testing.assert_allclose(written[key], value, rtol=2e-7)
  if release_cases.SHARED.exists():
    assert set(case.tensors) == set(written)


def broken(tensors, name, value):
  if value is None:
    return {k: v for k, v in tensors.items() if k != name}
  return {**tensors, name: value}


@pytest.mark.parametrize(
  ('name', 'value', 'message'),
  [
    ('generator/const', None, 'lacks tensor generator/const'),
    ('dlatent_avg/buff', None, 'lacks tensor dlatent_avg/buff'),
    (FROM_RGB, None, f'lacks tensor {FROM_RGB}'),
    (FROM_RGB, np.zeros(3), f'{FROM_RGB} has shape (3,), not 4 axes'),
    (
      'generator/to_rgb.0.to_rgb.weight',
      None,
      'lacks tensor generator/to_rgb.0.to_rgb.weight',
    ),
    (
      'generator/const',
      np.zeros((1, 9, 4, 4)),
      'generator/const has shape (1, 9, 4, 4), not (1, 4, 4, 4)',
    ),
    (
      'generator/decode_block.0.blur.weight',
      np.zeros((4, 1, 3, 3)),
      'generator/decode_block.0.blur.weight is not the [1, 2, 1] blur',
    ),
    (
      'discriminator/encode_block.6.dense.weight',
      np.zeros((2, 2)),
      'encode_block.6.dense.weight belongs to no known StyleALAE',
    ),
  ],
)
def test_a_wrong_tensor_is_named_in_one_line(tensors, name, value, message):
  with pytest.raises(UserError, match=re.escape(message)) as caught:
    release.from_release(broken(tensors, name, value))
  assert '\n' not in str(caught.value)
