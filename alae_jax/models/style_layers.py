"""What the generator and the encoder of StyleALAE are both made of."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from alae_jax.models.layers import SQRT_2, at_least_float32
from alae_jax.ops.convolution import conv2d

# Below this the square root's slope is no longer worth having; see `deviation`.
_SMALLEST_VARIANCE = 1e-12


class EqualizedConv(nn.Module):
  """3x3 convolution without bias, with an equalised learning rate.

  The kernel is stored as N(0, 1) and used as `equalize` makes it.

  Attributes:
    features: output channels.
    operation: conv2d, upsample_conv2d or downsample_conv2d.
    equalized: whether the kernel that is given has been made so already.
  """

  features: int
  operation: Callable[[jax.Array, jax.Array], jax.Array] = conv2d
  equalized: bool = False

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Convolves [N, H, W, C] to [N, H', W', features]."""
    kernel = self.param(
      'kernel',
      nn.initializers.normal(1.0),
      (3, 3, x.shape[-1], self.features),
      jnp.float32,
    )
    if not self.equalized:
      kernel = equalize(kernel, x.dtype)
    return self.operation(x, kernel)


def equalize(kernel: jax.Array, dtype: Any) -> jax.Array:
  """A kernel [3, 3, I, O] times sqrt(2) / sqrt(9 * I), in the maps' type."""
  return (kernel * (SQRT_2 / math.sqrt(9 * kernel.shape[2]))).astype(dtype)


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


def remat_from(
  resolution: int, level: int, block: type[nn.Module]
) -> type[nn.Module]:
  """A block of a level, which makes its maps anew in the backward pass.

  Args:
    resolution: side of the maps from which on blocks do so; 0: none does.
    level: of the block.
    block: its class.
  """
  return nn.remat(block) if 0 < resolution <= 4 << level else block


def idle_at(
  levels: int, level: int, stable: bool, colours: str
) -> frozenset[str]:
  """The parts of a network that a level does not use, by name.

  Args:
    levels: that the network has.
    level: at which it works.
    stable: whether nothing fades in.
    colours: its layers to or from RGB, 'to_rgb' or 'from_rgb'.
  """
  lowest = level if stable else level - 1
  return frozenset(
    [f'block_{i}' for i in range(level + 1, levels)]
    + [f'{colours}_{i}' for i in range(levels) if not lowest <= i <= level]
  )


def is_stable(level: int, blend: jax.Array | float) -> bool:
  """Whether nothing fades in, known without tracing.

  The first level has nothing to fade in over. A traced blend of one gives the
  same images as a Python one, at the cost of computing the level below too.
  """
  return level == 0 or (isinstance(blend, (int, float)) and blend == 1)
