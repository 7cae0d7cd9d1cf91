"""Layers that MLP-ALAE and StyleALAE share."""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn

SQRT_2 = math.sqrt(2.0)


def at_least_float32(x: jax.Array) -> jax.Array:
  """Float32 for narrower types: sums and latents need the digits."""
  return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def spread(vector: jax.Array, x: jax.Array) -> jax.Array:
  """A vector [C] in the shape and type of x [..., C].

  Narrowed after it is spread, so that its gradient, a sum over x's other axes,
  is one of float32: in bfloat16 a sum of some hundred numbers stands still.
  """
  return jnp.broadcast_to(vector, x.shape).astype(x.dtype)


def leaky_relu(x: jax.Array, slope: float = 0.2) -> jax.Array:
  """max(x, slope * x), the activation of every ALAE network."""
  return jnp.where(x >= 0, x, slope * x)


def pixel_norm(x: jax.Array, epsilon: float = 1e-8) -> jax.Array:
  """Scales each vector along the last axis to a mean square of one.

  Args:
    x: [..., features].
    epsilon: added to the mean square.

  Returns:
    [..., features], x * rsqrt(mean(x^2) + epsilon) (Karras et al. 2018).
  """
  return x * jax.lax.rsqrt(
    jnp.mean(jnp.square(x), axis=-1, keepdims=True) + epsilon
  )


class EqualizedDense(nn.Module):
  """Linear layer with an equalised learning rate (Karras et al. 2018).

  The kernel is stored as N(0, 1/lrmul) and used times
  gain / sqrt(fan_in) * lrmul; the bias is stored plainly and used times lrmul.
  Adam is blind to the scale of a parameter, so every layer learns at the same
  relative rate, and a layer with lrmul < 1 that much slower.

  Attributes:
    features: output size.
    gain: He gain; sqrt(2) before a leaky ReLU.
    lrmul: learning-rate multiplier.
  """

  features: int
  gain: float = SQRT_2
  lrmul: float = 1.0

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[..., fan_in] -> [..., features]."""
    fan_in = x.shape[-1]
    kernel = self.param(
      'kernel',
      nn.initializers.normal(1 / self.lrmul),
      (fan_in, self.features),
      jnp.float32,
    )
    bias = self.param(
      'bias', nn.initializers.zeros, (self.features,), jnp.float32
    )
    scale = self.gain / math.sqrt(fan_in) * self.lrmul
    # The small operand is scaled: fewer multiplies than scaling x.
    y = x @ (kernel * scale).astype(x.dtype)
    return y + spread(bias * self.lrmul, y)
