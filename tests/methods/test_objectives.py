import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from alae_jax.methods import objectives


def softplus(x):
  return math.log1p(math.exp(x))


def test_discriminator_loss_is_the_paper_s_step_1():
  loss = objectives.discriminator_loss(
    jnp.array([1.0, -2.0]), jnp.array([0.5, 3.0])
  )
  by_hand = (softplus(0.5) + softplus(-1.0) + softplus(3.0) + softplus(2.0)) / 2
  assert loss == pytest.approx(by_hand, rel=1e-6)


def test_discriminator_loss_falls_as_reals_and_fakes_part():
  fooled = objectives.discriminator_loss(jnp.array([-5.0]), jnp.array([5.0]))
  right = objectives.discriminator_loss(jnp.array([5.0]), jnp.array([-5.0]))
  assert right < 0.02 < 9 < fooled


def test_generator_loss_is_the_paper_s_step_2():
  loss = objectives.generator_loss(jnp.array([0.5, -3.0]))
  assert loss == pytest.approx((softplus(-0.5) + softplus(3.0)) / 2, rel=1e-6)


def test_latent_loss_is_a_mean_over_batch_and_components():
  w = jnp.array([[1.0, 2.0], [3.0, 4.0]])
  reconstructed = jnp.array([[1.0, 0.0], [0.0, 4.0]])
  assert objectives.latent_loss(w, reconstructed) == pytest.approx((4 + 9) / 4)


def test_latent_loss_has_a_fixed_target():
  w, reconstructed = jnp.ones((2, 3)), jnp.zeros((2, 3))
  to_target, to_result = jax.grad(objectives.latent_loss, (0, 1))(
    w, reconstructed
  )
  assert not to_target.any()
  np.testing.assert_allclose(to_result, -2 / 6 * np.ones((2, 3)), rtol=1e-6)


def test_r1_is_the_squared_gradient_norm():
  # logit = 3 x_0 + x_1^2: the gradient is (3, 2 x_1), so ||.||^2 = 9 + 4 x_1^2.
  def critic(images):
    x = images.reshape(images.shape[0], -1)
    return 3 * x[:, 0] + x[:, 1] ** 2

  images = jnp.array([[1.0, 2.0], [0.0, -1.0]]).reshape(2, 1, 2, 1)
  penalty, logits = objectives.r1_penalty(critic, images)
  assert penalty == pytest.approx(((9 + 16) + (9 + 4)) / 2)
  np.testing.assert_allclose(logits, [7.0, 1.0])


def test_r1_has_the_gradient_that_differences_give():
  images = jax.random.normal(jax.random.key(0), (3, 2, 2, 1))

  def penalty(weights):
    def critic(x):
      hidden = jnp.tanh(x.reshape(3, -1) @ weights)
      return jnp.sum(hidden**2, axis=-1)

    return objectives.r1_penalty(critic, images)[0]

  weights = jax.random.normal(jax.random.key(1), (4, 5))
  check_grads(penalty, (weights,), order=1, modes=['rev'], rtol=2e-2)
