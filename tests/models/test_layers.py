import math

import jax
import jax.numpy as jnp
import numpy as np

from alae_jax.models import latent_networks, layers


def test_leaky_relu():
  np.testing.assert_allclose(
    layers.leaky_relu(jnp.array([-2.0, 0.0, 3.0]), 0.1), [-0.2, 0.0, 3.0]
  )


def test_a_narrow_bias_s_gradient_is_summed_in_float32():
  """65,536 equal numbers, of which a sum in bfloat16 stops at 256."""
  x = jnp.zeros((4, 128, 128, 2), jnp.bfloat16)

  def total(bias):
    return jnp.sum((x + layers.spread(bias, x)).astype(jnp.float32))

  for gradient in (jax.grad(total), jax.jit(jax.grad(total))):
    np.testing.assert_array_equal(gradient(jnp.zeros(2)), [65536.0] * 2)


def test_pixel_norm_makes_the_mean_square_one():
  x = layers.pixel_norm(jnp.array([[3.0, 4.0]]))
  np.testing.assert_allclose(
    x, np.array([[3.0, 4.0]]) / math.sqrt(12.5), rtol=1e-6
  )


def test_equalized_dense_by_hand():
  module = layers.EqualizedDense(2, gain=2.0, lrmul=0.5)
  kernel = jnp.array([[1.0, 2.0], [3.0, 4.0], [0.0, 1.0], [1.0, 0.0]])
  params = {'kernel': kernel, 'bias': jnp.array([10.0, 20.0])}
  x = jnp.array([[1.0, 1.0, 2.0, 3.0]])
  # gain / sqrt(fan_in) * lrmul = 2 / 2 / 2; the bias times lrmul.
  np.testing.assert_allclose(
    module.apply({'params': params}, x),
    [[(1 + 3 + 0 + 3) / 2 + 5, (2 + 4 + 2 + 0) / 2 + 10]],
  )


def test_equalized_dense_keeps_the_variance():
  module = layers.EqualizedDense(512, gain=1.0, lrmul=0.1)
  x = jax.random.normal(jax.random.key(0), (256, 512))
  y, variables = module.init_with_output(jax.random.key(1), x)
  assert abs(float(jnp.std(y)) - 1) < 0.02
  assert abs(float(jnp.std(variables['params']['kernel'])) - 10) < 0.1


def test_the_discriminator_is_linear():
  module = latent_networks.Discriminator(8, layers=3, outputs=5, logit=2)
  w = jax.random.normal(jax.random.key(0), (2, 8))
  _, variables = module.init_with_output(jax.random.key(1), w)

  def logit(w):
    return module.apply(variables, w[None])[0]

  middle = logit((w[0] + w[1]) / 2)
  np.testing.assert_allclose(middle, (logit(w[0]) + logit(w[1])) / 2, rtol=1e-5)


def test_mapping_is_blind_to_the_length_of_z():
  module = latent_networks.Mapping(w_dim=6, layers=2)
  z = jax.random.normal(jax.random.key(0), (3, 4))
  w, variables = module.init_with_output(jax.random.key(1), z)
  assert w.shape == (3, 6)
  np.testing.assert_allclose(module.apply(variables, 7 * z), w, rtol=1e-5)
