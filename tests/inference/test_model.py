import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alae_jax import sharding
from alae_jax.inference.model import Model
from alae_jax.inference.pure import image_keys
from alae_jax.models.networks import build_networks
from alae_jax.ops.pixels import to_uint8
from tests.support.example_runs import style_model


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
    model.encode(images),
    model.encode(images / np.float32(127.5) - 1),
    rtol=1e-5,
    atol=1e-6,
  )


def test_no_images_give_no_codes(model):
  assert model.encode(pictures(0)).shape == (0, 6)
  assert model.decode(np.zeros((0, 6))).shape == (0, 8, 8, 1)


def test_many_images_are_split_without_a_seam(model, monkeypatch):
  images = pictures(37)
  whole = model.encode(images)
  monkeypatch.setattr('alae_jax.inference.model._PIXELS_AT_ONCE', 2 * 64)
  np.testing.assert_allclose(model.encode(images), whole, rtol=1e-5, atol=1e-6)


def test_reconstruct_is_decode_after_encode(model):
  images = pictures(3)
  np.testing.assert_allclose(
    model.reconstruct(images), model.decode(model.encode(images)), rtol=1e-5
  )


def test_truncation_draws_w_to_its_mean(model):
  w = jnp.ones((2, 6))
  np.testing.assert_allclose(model.truncate(w, 0.0), np.full((2, 1, 6), 0.5))
  np.testing.assert_allclose(model.truncate(w, 0.5), np.full((2, 1, 6), 0.75))
  np.testing.assert_allclose(
    model.truncate(w, 0.5, cutoff=0), np.ones((2, 1, 6))
  )
  key = jax.random.key(1)
  still = model.generate(key, 4, truncation_psi=0.0)
  np.testing.assert_allclose(
    still, np.broadcast_to(still[:1], still.shape), rtol=1e-4, atol=1e-5
  )


@pytest.mark.parametrize(
  ('images', 'said'),
  [
    (np.zeros((1, 9, 9, 1), np.uint8), r'\[N, 8, 8, 1\]'),
    (np.zeros((1, 8, 8, 3), np.uint8), r'\[N, 8, 8, 1\]'),
    (np.zeros((8, 8, 1), np.uint8), r'\[8, 8, 1\]'),
    (np.zeros((1, 8, 8, 1), np.int32), 'int32'),
    (np.full((1, 8, 8, 1), 255.0), 'reach from 255 to 255'),
    (np.full((1, 8, 8, 1), np.nan), 'nan'),
    (np.full((1, 8, 8, 1), -np.inf), '-inf'),
  ],
)
def test_wrong_images_are_refused(model, images, said):
  with pytest.raises(ValueError, match=said):
    model.encode(images)


@pytest.mark.parametrize('shape', [(2, 5), (2, 2, 6), (6,)])
def test_wrong_latents_are_refused(model, shape):
  with pytest.raises(ValueError, match='w have shape'):
    model.decode(np.zeros(shape))


def test_latents_that_are_not_finite_are_refused(model):
  with pytest.raises(ValueError, match='w have values that are not finite'):
    model.decode(np.full((1, 6), np.nan))
  with pytest.raises(ValueError, match='z have values that are not finite'):
    model.map(np.full((1, 4), np.inf))


@pytest.mark.parametrize('w', [np.ones((1, 6)) * 1j, 'w', [[None] * 6]])
def test_latents_that_are_no_real_numbers_are_refused(model, w):
  with pytest.raises(ValueError, match=r'w are .*: give real numbers'):
    model.decode(w)


def test_what_g_overshoots_is_encoded(model):
  assert model.encode(np.full((1, 8, 8, 1), 1.9)).shape == (1, 6)


@pytest.mark.parametrize(
  ('psi', 'cutoff'),
  [(np.nan, None), ('1', None), ([1], None), (0.5, 2), (0.5, -1), (0.5, 0.5)],
)
def test_wrong_truncation_is_refused(model, psi, cutoff):
  with pytest.raises(ValueError, match='truncation_'):
    model.generate(jax.random.key(0), 1, psi, cutoff)


def test_keys_must_be_one_or_one_for_each(model):
  keys = jax.random.split(jax.random.key(0), 3)
  assert model.decode(np.zeros((3, 6)), keys).shape == (3, 8, 8, 1)
  with pytest.raises(ValueError, match=r'keys have shape \[3\]'):
    model.decode(np.zeros((2, 6)), keys)
  with pytest.raises(ValueError, match=r'make one with jax\.random\.key\(3\)'):
    model.generate(3, 2)
  old = image_keys(jax.random.PRNGKey(3), 2)
  assert (old == image_keys(jax.random.key(3), 2)).all()


def test_noise_does_not_depend_on_how_a_batch_is_split(monkeypatch):
  model, key = style_model(), jax.random.key(5)
  whole = model.generate(key, 19)
  noiseless = model.generate(key, 19, 0.0)
  assert np.abs(noiseless - noiseless[0]).max() > 1e-3  # only noise differs
  np.testing.assert_allclose(model.generate(key, 3), whole[:3], atol=1e-5)
  monkeypatch.setattr('alae_jax.inference.model._PIXELS_AT_ONCE', 64)
  np.testing.assert_allclose(model.generate(key, 19), whole, atol=1e-5)


def test_the_deterministic_mode_draws_nothing():
  model = style_model()
  w = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
  still = model.decode(w)
  np.testing.assert_array_equal(still, model.decode(w))
  one = model.decode(np.repeat(w[:, None], model.layers, axis=1))
  np.testing.assert_array_equal(still, one)
  assert np.abs(model.decode(w, jax.random.key(0)) - still).max() > 1e-3


def test_one_device_and_eight_agree(tiny_config):
  networks = build_networks(tiny_config)
  params = networks.init(jax.random.key(0))
  one = jax.sharding.Mesh(np.array(jax.devices()[:1]), ('data',))
  models = [
    Model(tiny_config, networks, params, jnp.zeros((1, 6)), mesh=mesh)
    for mesh in (one, sharding.local_mesh())
  ]
  assert [model.devices for model in models] == [1, 8]
  results = [model.reconstruct(pictures(5)) for model in models]
  np.testing.assert_allclose(*results, atol=1e-5)


def test_to_uint8_rounds_and_clips():
  values = np.array([-2.0, -1.0, -0.001, 0.0, 1.0, 3.0])
  np.testing.assert_array_equal(to_uint8(values), [0, 0, 127, 128, 255, 255])


@pytest.mark.parametrize('n', [2.5, True, np.True_, -1, '3', None, 3.0, [3]])
def test_a_number_of_images_is_whole(model, n):
  with pytest.raises(ValueError, match=r'^n is .* give a whole number from 0'):
    model.generate(jax.random.key(0), n)


def test_a_number_may_be_of_any_whole_type(model):
  for n in (2, np.int64(2), jnp.int32(2)):
    assert len(model.generate(jax.random.key(0), n)) == 2


def test_no_images_are_no_special_case(model):
  none = pictures(0)
  for images in (none, none.astype(np.float32)):
    assert model.reconstruct(images, jax.random.key(0)).shape == (0, 8, 8, 1)
    assert model.discriminate(images).shape == (0,)
    assert model.features(images, 'hidden').shape[0] == 0
  assert model.generate(jax.random.key(0), 0, 0.5).shape == (0, 8, 8, 1)
  assert model.map(np.zeros((0, 4))).shape == (0, 6)
  assert model.truncate(np.zeros((0, 6)), 0.5, 1).shape == (0, 1, 6)


def test_a_cutoff_counts_the_layers_that_a_run_has_grown_to():
  whole = style_model()
  young = Model(
    whole.config, whole.networks, whole.params, whole.mean_w, level=0
  )
  assert young.truncate(np.ones((1, 6)), 0.5, 2).shape == (1, 6, 6)
  for cutoff in (3, 6, 1.0, True):
    with pytest.raises(ValueError, match=r'truncation_cutoff .* from 0 to 2'):
      young.truncate(np.ones((1, 6)), 0.5, cutoff)


def test_a_model_says_what_it_is(model):
  assert repr(model) == (
    '<alae_jax.Model: mlp, 8x8 grey, z_dim 4, w_dim 6, layers of styles 1, '
    f'{sum(x.size for x in jax.tree.leaves(model.params)):,} parameters>'
  )
  whole = style_model()
  young = Model(
    whole.config,
    whole.networks,
    whole.params,
    whole.mean_w,
    level=1,
    blend=0.25,
    images_seen=12345,
    weights='ema',
  )
  said = repr(young)
  assert 'style, 8x8 RGB, level 2 of 3, 25% faded in, z_dim 4' in said
  assert said.endswith('parameters, 12,345 images seen, ema weights>')
