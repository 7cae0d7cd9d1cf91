"""The networks of a Model as pure functions of parameters."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alae_jax.inference.model import Model
from alae_jax.models.networks import build_networks
from tests.support.example_runs import (
  make_state,
  make_style_config,
)


@pytest.fixture(scope='module')
def growing():
  """A StyleALAE of which the second of three levels has half faded in."""
  config = make_style_config()
  state = make_state(config)
  networks = build_networks(config)
  return Model(config, networks, state.ema, state.mean_w, level=1, blend=0.5)


@pytest.fixture
def mlp(tiny_config):
  networks = build_networks(tiny_config)
  params = networks.init(jax.random.key(0))
  return Model(tiny_config, networks, params, jnp.zeros((1, 6)))


@pytest.fixture(params=['mlp', 'growing'])
def model(request):
  return request.getfixturevalue(request.param)


def latents(n, size):
  return np.random.default_rng(0).normal(size=(n, size)).astype(np.float32)


def test_they_give_what_the_methods_give(model):
  pure, params, key = model.pure, model.params, jax.random.key(3)
  z = latents(3, model.z_dim)
  w = model.map(z)
  images = model.decode(w)
  styles = model.truncate(w, 0.5)
  for ours, theirs in (
    (jax.jit(pure.map)(params, z), w),
    (jax.jit(pure.decode)(params, w), images),
    (jax.jit(pure.decode)(params, styles), model.decode(styles)),
    (jax.jit(pure.decode)(params, w, key=key), model.decode(w, key)),
    (jax.jit(pure.encode)(params, images), model.encode(images)),
    (jax.jit(pure.discriminate)(params, images), model.discriminate(images)),
    (
      jax.jit(pure.score)(params, model.encode(images)),
      model.discriminate(images),
    ),
  ):
    assert isinstance(ours, jax.Array)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def check_slope(function, x):
  """Along the gradient of a mean, differences are as long as it is."""
  weights = np.random.default_rng(1).normal(size=function(x).shape)
  mean = jax.jit(lambda x: jnp.mean(weights * function(x)))
  slope = jax.grad(mean)(x)
  steepness = jnp.linalg.norm(slope)
  step = 1e-3 * slope / steepness
  difference = (mean(x + step) - mean(x - step)) / 2e-3
  np.testing.assert_allclose(difference, steepness, rtol=0.03)


def test_gradients_through_g_and_e_are_those_of_differences(model):
  w = jnp.asarray(latents(1, model.w_dim))
  decode = functools.partial(model.pure.decode, model.params)
  encode = functools.partial(model.pure.encode, model.params)
  check_slope(decode, w)
  check_slope(encode, jnp.clip(model.decode(w), -1, 1))


def test_the_example_of_the_docstring_nears_its_target(mlp):
  model = mlp
  target = model.decode(latents(1, model.w_dim))

  def distance(w):
    return jnp.mean((model.pure.decode(model.params, w) - target) ** 2)

  slope = jax.jit(jax.grad(distance))
  w = start = jnp.zeros((1, model.w_dim))
  for _ in range(100):
    w = w - 0.1 * slope(w)
  assert distance(w) < 0.5 * distance(start)


def test_they_are_differentiable_in_parameters_and_mapped(growing):
  pure, params = growing.pure, growing.params
  w = jnp.asarray(latents(4, growing.w_dim))
  slopes = jax.grad(lambda p: pure.score(p, w).sum())(params)
  assert jnp.abs(slopes['discriminator']['dense_0']['kernel']).max() > 0
  mapped = jax.jit(jax.vmap(pure.decode, (None, 0)))(params, w[:, None])
  np.testing.assert_allclose(
    mapped[:, 0], growing.decode(w), rtol=1e-4, atol=1e-5
  )


@pytest.mark.parametrize(
  ('name', 'shape'),
  [
    ('map', (2, 3)),
    ('encode', (2, 16, 16, 3)),
    ('decode', (2, 5)),
    ('decode', (2, 4, 6)),
    ('decode', (6,)),
    ('score', (2, 7)),
  ],
)
def test_other_shapes_are_refused(growing, name, shape):
  with pytest.raises(ValueError, match='have shape'):
    getattr(growing.pure, name)(growing.params, jnp.zeros(shape))


def test_methods_name_them_where_they_are_traced(growing):
  w, image = jnp.zeros((1, 6)), jnp.zeros((1, 8, 8, 3))
  key = jax.random.key(0)
  for function, x in (
    (growing.encode, image),
    (growing.decode, w),
    (lambda key: growing.decode(w, key), key),
    (lambda key: growing.generate(key, 1), key),
    (lambda psi: growing.truncate(w, psi), 0.5),
    (lambda x: growing.decode([x]), w[0]),
    (growing.reconstruct, image),
    (growing.discriminate, image),
    (growing.map, jnp.zeros((1, 4))),
  ):
    with pytest.raises(TypeError, match=r'model\.pure'):
      jax.jit(function)(x)
  with pytest.raises(TypeError, match=r'model\.pure\.decode'):
    jax.grad(lambda w: growing.decode(w).sum())(w)
