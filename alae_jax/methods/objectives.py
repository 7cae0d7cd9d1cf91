"""The three ALAE objectives (paper section 3, algorithm 1) and R1.

Pure functions of logits and latents; whose parameters a loss trains is
decided in alae.py.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def discriminator_loss(
  real_logits: jax.Array, fake_logits: jax.Array
) -> jax.Array:
  """Step I: mean of softplus(D(E(G(F(z))))) + softplus(-D(E(x))).

  Args:
    real_logits: [N], D(E(x)).
    fake_logits: [N], D(E(G(F(z)))).

  Returns:
    A scalar, minimised over E and D.
  """
  return jnp.mean(jax.nn.softplus(fake_logits) + jax.nn.softplus(-real_logits))


def generator_loss(fake_logits: jax.Array) -> jax.Array:
  """Step II: mean of softplus(-D(E(G(F(z))))), minimised over F and G.

  Args:
    fake_logits: [N], D(E(G(F(z)))).

  Returns:
    A scalar.
  """
  return jnp.mean(jax.nn.softplus(-fake_logits))


def latent_loss(w: jax.Array, reconstructed_w: jax.Array) -> jax.Array:
  """Step III: mean of (F(z) - E(G(F(z))))^2, minimised over E and G.

  Args:
    w: [N, w_dim], F(z), the target: no gradient reaches it.
    reconstructed_w: [N, w_dim], E(G(F(z))).

  Returns:
    A scalar, the mean over batch and components.
  """
  return jnp.mean(jnp.square(jax.lax.stop_gradient(w) - reconstructed_w))


def r1_penalty(
  critic: Callable[[jax.Array], jax.Array], images: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """R1 (Mescheder et al. 2018): mean squared norm of the critic's gradient.

  Args:
    critic: D(E(.)), images [N, H, W, C] -> logits [N], each of its own image.
    images: real images.

  Returns:
    The mean over the batch of ||grad_x critic(x)||^2, summed over pixels and
    channels, to be weighted by gamma / 2; and the logits [N], which come free.
  """
  logits, pull_back = jax.vjp(critic, images)
  # Of known ones pulled back through D's linear layers libtpu 0.0.52 makes
  # broadcasts that its own next pass refuses.
  ones = jax.lax.optimization_barrier(jnp.ones_like(logits))
  (gradient,) = pull_back(ones)
  squares = jnp.square(gradient.astype(jnp.float32))
  return jnp.mean(jnp.sum(squares, axis=(1, 2, 3))), logits
