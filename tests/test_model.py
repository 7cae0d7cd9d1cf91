import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alae_jax.model import Model, to_uint8
from alae_jax.models.networks import build_networks


@pytest.fixture
def model(tiny_config):
  networks = build_networks(tiny_config)
  params = networks.init(jax.random.key(0))
  return Model(tiny_config, networks, params, jnp.full((1, 6), 0.5))


def pictures(n):
  return np.random.default_rng(0).integers(0, 256, (n, 8, 8, 1), np.uint8)


def test_shapes_and_attributes(model):
  assert (model.resolution, model.w_dim, model.layers) == (8, 6, 1)
  w = model.encode(pictures(5))
  assert w.shape == (5, 6)
  assert model.decode(w).shape == (5, 8, 8, 1)
  assert model.discriminate(pictures(5)).shape == (5,)
  assert model.map(jnp.ones((3, 4))).shape == (3, 6)
  assert model.generate(jax.random.key(0), 7).shape == (7, 8, 8, 1)
  assert model.reconstruct(pictures(2)).dtype == jnp.float32


def test_uint8_and_float_images_are_the_same(model):
  images = pictures(3)
  np.testing.assert_allclose(
      model.encode(images), model.encode(images / np.float32(127.5) - 1),
      rtol=1e-5, atol=1e-6)


def test_no_images_give_no_codes(model):
  assert model.encode(pictures(0)).shape == (0, 6)
  assert model.decode(np.zeros((0, 6))).shape == (0, 8, 8, 1)


def test_many_images_are_split_without_a_seam(model, monkeypatch):
  images = pictures(37)
  whole = model.encode(images)
  monkeypatch.setattr('alae_jax.model._PIXELS_AT_ONCE', 16 * 64)
  np.testing.assert_allclose(model.encode(images), whole, rtol=1e-5, atol=1e-6)


def test_reconstruct_is_decode_after_encode(model):
  images = pictures(3)
  np.testing.assert_allclose(model.reconstruct(images),
                             model.decode(model.encode(images)), rtol=1e-5)


def test_truncation_draws_w_to_its_mean(model):
  w = jnp.ones((2, 6))
  np.testing.assert_allclose(model.truncate(w, 0.0), np.full((2, 1, 6), 0.5))
  np.testing.assert_allclose(model.truncate(w, 0.5), np.full((2, 1, 6), 0.75))
  np.testing.assert_allclose(model.truncate(w, 0.5, cutoff=0),
                             np.ones((2, 1, 6)))
  key = jax.random.key(1)
  still = model.generate(key, 4, truncation_psi=0.0)
  np.testing.assert_allclose(still, np.broadcast_to(still[:1], still.shape),
                             rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(('images', 'said'), [
    (np.zeros((1, 9, 9, 1), np.uint8), r'\[N, 8, 8, 1\]'),
    (np.zeros((1, 8, 8, 3), np.uint8), r'\[N, 8, 8, 1\]'),
    (np.zeros((8, 8, 1), np.uint8), r'\[8, 8, 1\]'),
    (np.zeros((1, 8, 8, 1), np.int32), 'int32'),
    (np.full((1, 8, 8, 1), 255.0), 'reach from 255 to 255'),
    (np.full((1, 8, 8, 1), np.nan), 'nan'),
])
def test_wrong_images_are_refused(model, images, said):
  with pytest.raises(ValueError, match=said):
    model.encode(images)


@pytest.mark.parametrize('shape', [(2, 5), (2, 2, 6), (6,)])
def test_wrong_latents_are_refused(model, shape):
  with pytest.raises(ValueError, match='w have shape'):
    model.decode(np.zeros(shape))


def test_to_uint8_rounds_and_clips():
  values = np.array([-2.0, -1.0, -0.001, 0.0, 1.0, 3.0])
  np.testing.assert_array_equal(to_uint8(values), [0, 0, 127, 128, 255, 255])
