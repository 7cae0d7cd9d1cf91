"""The encoder of StyleALAE: the generator's mirror image (paper 4).

Each layer gives up its feature statistics, which the generator would have set
from w, and w is the sum of linear maps of them all.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from alae_jax.models.layers import (
  EqualizedDense,
  leaky_relu,
  spread,
)
from alae_jax.models.style_layers import (
  EqualizedConv,
  deviation,
  idle_at,
  is_stable,
  moments,
  remat_from,
)
from alae_jax.ops.convolution import downsample_conv2d
from alae_jax.ops.resample import blur, downsample, lerp


class StatisticsLayer(nn.Module):
  """Bias, leaky ReLU, statistics out, instance norm.

  Attributes:
    w_dim: size of w.
    epsilon: added to the variance by the instance norm.
  """

  w_dim: int
  epsilon: float = 1e-5

  @nn.compact
  def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Normalises x [N, H, W, C]; also its part of w, [N, w_dim]."""
    bias = self.param(
      'bias', nn.initializers.zeros, (x.shape[-1],), jnp.float32
    )
    x = leaky_relu(x + spread(bias, x))
    mean, variance = moments(x)
    statistics = jnp.concatenate([mean, deviation(variance)], axis=-1)
    w = EqualizedDense(self.w_dim, name='style')(statistics[:, 0, 0])
    normal = (x - mean) * jax.lax.rsqrt(variance + self.epsilon)
    return normal.astype(x.dtype), w


class EncoderBlock(nn.Module):
  """The two layers of one resolution; the second halves it.

  Attributes:
    features: output channels.
    w_dim: size of w.
    equalized: whether the kernels are given as `equalize` makes them.
  """

  features: int
  w_dim: int
  equalized: bool = False

  @nn.compact
  def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """[N, H, W, C] to ([N, H/2, W/2, features], part of w [N, w_dim])."""
    x = EqualizedConv(x.shape[-1], equalized=self.equalized, name='conv_1')(x)
    x, first = StatisticsLayer(self.w_dim, name='layer_1')(x)
    x = EqualizedConv(
      self.features, downsample_conv2d, self.equalized, name='conv_2'
    )(blur(x))
    x, second = StatisticsLayer(self.w_dim, name='layer_2')(x)
    return x, first + second


class StyleEncoder(nn.Module):
  """E: images -> w.

  Attributes:
    levels: number of resolutions.
    base_channels: channels of the last level's from-RGB.
    max_channels: bound on the channels, which double from level to level
      towards 4x4.
    w_dim: size of w.
    dtype: of the feature maps; statistics and w are float32.
    remat_resolution: side from which on a block's maps are made anew in the
      backward pass; 0 keeps all.
    equalized: whether the kernels are given as `equalize` makes them.
  """

  levels: int
  base_channels: int
  max_channels: int
  w_dim: int
  dtype: Any = jnp.float32
  remat_resolution: int = 0
  equalized: bool = False

  def setup(self):
    """Names parameters by level: block_0 and from_rgb_0 are those of 4x4."""
    widths = [
      min(self.max_channels, self.base_channels << i)
      for i in reversed(range(self.levels + 1))
    ]
    self.block = [
      remat_from(self.remat_resolution, i, EncoderBlock)(
        width, self.w_dim, self.equalized
      )
      for i, width in enumerate(widths[:-1])
    ]
    self.from_rgb = [EqualizedDense(width) for width in widths[1:]]

  def __call__(
    self, images: jax.Array, level: int, blend: jax.Array | float = 1.0
  ) -> jax.Array:
    """Encodes images.

    Args:
      images: [N, S, S, channels], S = 4 * 2^level.
      level: of the images.
      blend: how far `level` has faded in over the level below, in [0, 1].

    Returns:
      w, [N, w_dim].
    """
    x, w = self.block[level](self._features(images, level))
    if not is_stable(level, blend):
      below = self._features(downsample(images), level - 1)
      x, w = lerp(below, x, blend), w * blend
    for i in reversed(range(level)):
      x, part = self.block[i](x)
      w += part
    return w

  def every_level(self, images: jax.Array) -> list[jax.Array]:
    """Each level's part of w, to create every level's parameters."""
    parts = []
    for i in reversed(range(self.levels)):
      parts.append(self.block[i](self._features(images, i))[1])
      images = downsample(images)
    return parts

  @nn.nowrap
  def idle(self, level: int, stable: bool) -> frozenset[str]:
    """The parts that a level does not use, by name; see `Networks.idle`."""
    return idle_at(self.levels, level, stable, 'from_rgb')

  def _features(self, images: jax.Array, level: int) -> jax.Array:
    # The release applies its leaky ReLU here twice: a slope of 0.04 in all.
    return leaky_relu(self.from_rgb[level](images), 0.04).astype(self.dtype)
