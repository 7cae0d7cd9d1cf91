import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alae_jax.models.networks import Stage, build_networks


def leaky(x, slope):
  return np.where(x >= 0, x, slope * x)


def dense(params, x, lrmul=1.0):
  kernel = np.asarray(params['kernel'], np.float64)
  scale = np.sqrt(2 / kernel.shape[0]) * lrmul
  return x @ (kernel * scale) + np.asarray(params['bias'], np.float64) * lrmul


@pytest.fixture
def networks(tiny_config):
  return build_networks(tiny_config)


@pytest.fixture
def params(networks):
  params = networks.init(jax.random.key(0))
  # Biases begin at zero; a test must see them.
  leaves, tree = jax.tree.flatten(params)
  keys = jax.random.split(jax.random.key(1), len(leaves))
  return jax.tree.unflatten(
    tree,
    [
      leaf + 0.1 * jax.random.normal(key, leaf.shape)
      for leaf, key in zip(leaves, keys, strict=True)
    ],
  )


def test_networks_follow_the_recipe_in_float64(networks, params):
  z = np.asarray(jax.random.normal(jax.random.key(2), (5, 4)), np.float64)
  x = z / np.sqrt((z**2).mean(-1, keepdims=True) + 1e-8)
  for i in range(2):
    x = leaky(dense(params['mapping'][f'dense_{i}'], x, 0.1), 0.2)
  w = networks.map(params, z)
  np.testing.assert_allclose(w, x, rtol=2e-5)

  g = params['generator']
  for i in range(2):
    x = leaky(dense(g[f'dense_{i}'], x), 0.01)
  x = dense(g['dense_2'], x).reshape(5, 8, 8, 1) * 2 - 1
  images = networks.decode(params, networks.broadcast(w), Stage(0))
  np.testing.assert_allclose(images, x, rtol=1e-4, atol=1e-5)

  x = (x.reshape(5, 64) + 1) / 2
  e = params['encoder']
  for i in range(2):
    x = leaky(dense(e[f'dense_{i}'], x), 0.2)
  np.testing.assert_allclose(
    networks.features(params, images, 'hidden'), x, rtol=1e-4, atol=1e-5
  )
  x = leaky(dense(e['dense_2'], x), 0.01)
  encoded = networks.encode(params, images, Stage(0))
  np.testing.assert_allclose(encoded, x, rtol=1e-4, atol=1e-5)

  for i in range(3):
    x = dense(params['discriminator'][f'dense_{i}'], x, 0.1)
  np.testing.assert_allclose(
    networks.score(params, encoded), x[:, 0], rtol=1e-4, atol=1e-5
  )


def test_bfloat16_computes_roughly_the_same(tiny_config, networks, params):
  tiny_config.train.compute_dtype = 'bfloat16'
  small = build_networks(tiny_config)
  w = jax.random.normal(jax.random.key(2), (5, 6))
  exact = networks.decode(params, networks.broadcast(w), Stage(0))
  rough = small.decode(params, small.broadcast(w), Stage(0))
  assert rough.dtype == jnp.float32
  assert 0 < jnp.max(jnp.abs(exact - rough)) < 0.1


def test_layer_sizes_are_the_recipe_s():
  from alae_jax import config as config_lib

  networks = build_networks(config_lib.default())
  shapes = jax.eval_shape(networks.init, jax.random.key(0))

  def kernels(name):
    return [shapes[name][layer]['kernel'].shape for layer in shapes[name]]

  assert sorted(kernels('encoder')) == sorted(
    [(784, 1024), (1024, 1024), (1024, 50)]
  )
  assert sorted(kernels('generator')) == sorted(
    [(50, 1024), (1024, 1024), (1024, 784)]
  )
  assert kernels('mapping') == [(50, 50)] * 6
  assert len(kernels('discriminator')) == 3
