"""What the generator and the encoder of StyleALAE are both made of."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from alae_jax.models.layers import SQRT_2
from alae_jax.ops.convolution import conv2d

# Below this the square root's slope is no longer worth having; see `deviation`.
_SMALLEST_VARIANCE = 1e-12


class EqualizedConv(nn.Module):
  """3x3 convolution without bias, with an equalised learning rate.

  The kernel is stored as N(0, 1) and used times sqrt(2) / sqrt(fan_in).

  Attributes:
    features: output channels.
    operation: conv2d, upsample_conv2d or downsample_conv2d.
  """

  features: int
  operation: Callable[[jax.Array, jax.Array], jax.Array] = conv2d

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Convolves [N, H, W, C] to [N, H', W', features]."""
    channels = x.shape[-1]
    kernel = self.param(
      'kernel',
      nn.initializers.normal(1.0),
      (3, 3, channels, self.features),
      jnp.float32,
    )
    scale = SQRT_2 / math.sqrt(9 * channels)
    return self.operation(x, (kernel * scale).astype(x.dtype))


def at_least_float32(x: jax.Array) -> jax.Array:
  """Float32 for narrower types: sums over pixels need the digits."""
  return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def moments(x: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Mean and variance over the pixels of [N, H, W, C], each [N, 1, 1, C]."""
  x = at_least_float32(x)
  mean = jnp.mean(x, axis=(1, 2), keepdims=True)
  return mean, jnp.mean(jnp.square(x - mean), axis=(1, 2), keepdims=True)


def deviation(variance: jax.Array) -> jax.Array:
  """The square root, 0 with slope 0 below 1e-12.

  A map without variation (a black image, a dead channel) has an infinite
  slope there, and R1 asks for the second derivative. Nothing moves by more
  than 1e-6. Both branches of the outer `where` must be finite, hence the
  inner one.
  """
  varies = variance > _SMALLEST_VARIANCE
  return jnp.where(varies, jnp.sqrt(jnp.where(varies, variance, 1.0)), 0.0)


def is_stable(level: int, blend: jax.Array | float) -> bool:
  """Whether nothing fades in, known without tracing.

  The first level has nothing to fade in over. A traced blend of one gives the
  same images as a Python one, at the cost of computing the level below too.
  """
  return level == 0 or (isinstance(blend, (int, float)) and blend == 1)
