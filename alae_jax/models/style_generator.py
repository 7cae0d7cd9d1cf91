"""The generator of StyleALAE: StyleGAN's synthesis network (paper 4).

Level i makes images of side 4 * 2^i. All levels' parameters exist from the
start; a call runs the levels up to the one it is asked for.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from alae_jax.models.layers import (
  EqualizedDense,
  at_least_float32,
  leaky_relu,
  spread,
)
from alae_jax.models.style_layers import (
  EqualizedConv,
  idle_at,
  is_stable,
  moments,
  remat_from,
)
from alae_jax.ops.convolution import upsample_conv2d
from alae_jax.ops.resample import blur, lerp, upsample

Noise = Sequence[jax.Array] | None


def add_noise(
  x: jax.Array, weight: jax.Array, plane: jax.Array | None, level: int
) -> jax.Array:
  """Adds a noise plane, weighted per channel.

  Args:
    x: [N, H, W, C].
    weight: [C].
    plane: [N or 1, H, W, 1]; None adds a fixed function of x instead, which
      stands for the noise in the release's deterministic mode.
    level: sets the width of that function.

  Returns:
    [N, H, W, C].
  """
  if plane is not None:
    return x + plane.astype(x.dtype) * spread(weight, x)
  s = math.sqrt(level + 1)
  bump = jnp.exp(-jnp.square(x) / (2 * s * s))
  return x + bump * (0.8 * s / math.sqrt(2 * math.pi))


def restyle(x: jax.Array, style: jax.Array, epsilon: float = 1e-8) -> jax.Array:
  """Instance norm, then each channel times (s0 + 1) plus s1 (AdaIN).

  Args:
    x: [N or 1, H, W, C].
    style: [N, 2C], s0 and s1 one after the other.
    epsilon: added to the variance.

  Returns:
    [N, H, W, C].
  """
  scale, shift = jnp.split(style[:, None, None], 2, axis=-1)
  mean, variance = moments(x)
  # Scales of channels are multiplied before they meet the pixels.
  scale = jax.lax.rsqrt(variance + epsilon) * (scale + 1)
  return ((x - mean) * scale + shift).astype(x.dtype)


class StyleLayer(nn.Module):
  """Noise, bias, leaky ReLU and style: what follows each convolution.

  Attributes:
    level: of the resolution.
  """

  level: int

  @nn.compact
  def __call__(
    self, x: jax.Array, w: jax.Array, noise: jax.Array | None
  ) -> jax.Array:
    """Styles x [N or 1, H, W, C] by w [N, w_dim]: [N, H, W, C]."""
    channels = x.shape[-1]
    zeros = nn.initializers.zeros
    weight = self.param('noise_weight', zeros, (channels,), jnp.float32)
    bias = self.param('bias', zeros, (channels,), jnp.float32)
    style = EqualizedDense(2 * channels, gain=1.0, name='style')
    x = add_noise(x, weight, noise, self.level)
    x = leaky_relu(x + spread(bias, x))
    return restyle(x, style(w))


class GeneratorBlock(nn.Module):
  """The two layers of one resolution.

  Attributes:
    level: of the resolution; level 0 starts from the constant and has no
      first convolution.
    features: output channels.
    equalized: whether the kernels are given as `equalize` makes them.
  """

  level: int
  features: int
  equalized: bool = False

  @nn.compact
  def __call__(
    self, x: jax.Array, styles: jax.Array, noise: Noise
  ) -> jax.Array:
    """Doubles and styles x.

    Args:
      x: [N, H, W, C].
      styles: [N, 2, w_dim].
      noise: two planes [N or 1, 2H, 2W, 1] or None.

    Returns:
      [N, 2H, 2W, features]; at level 0 [N, H, W, features].
    """
    first, second = (None, None) if noise is None else noise
    if self.level > 0:
      x = EqualizedConv(
        self.features, upsample_conv2d, self.equalized, name='conv_1'
      )(x)
      x = blur(x)
    x = StyleLayer(self.level, name='layer_1')(x, styles[:, 0], first)
    x = EqualizedConv(self.features, equalized=self.equalized, name='conv_2')(x)
    return StyleLayer(self.level, name='layer_2')(x, styles[:, 1], second)


class StyleGenerator(nn.Module):
  """G: styles -> images.

  Attributes:
    levels: number of resolutions.
    base_channels: channels at the last level.
    max_channels: bound on the channels, which double from level to level
      towards 4x4.
    w_dim: size of a style.
    channels: of the images.
    dtype: of the feature maps; styles and statistics are float32.
    remat_resolution: side from which on a block's maps are made anew in the
      backward pass; 0 keeps all.
    equalized: whether the kernels are given as `equalize` makes them.
  """

  levels: int
  base_channels: int
  max_channels: int
  w_dim: int
  channels: int = 3
  dtype: Any = jnp.float32
  remat_resolution: int = 0
  equalized: bool = False

  def setup(self):
    """Names parameters by level: block_0 and to_rgb_0 are those of 4x4."""
    widths = [
      min(self.max_channels, self.base_channels << i)
      for i in reversed(range(self.levels))
    ]
    self.const = self.param(
      'const', nn.initializers.ones, (4, 4, widths[0]), jnp.float32
    )
    self.block = [
      remat_from(self.remat_resolution, i, GeneratorBlock)(
        i, width, self.equalized
      )
      for i, width in enumerate(widths)
    ]
    self.to_rgb = [EqualizedDense(self.channels, gain=0.03) for _ in widths]

  def __call__(
    self,
    styles: jax.Array,
    level: int,
    blend: jax.Array | float = 1.0,
    noise: Noise = None,
  ) -> jax.Array:
    """Decodes styles to images.

    Args:
      styles: [N, at least 2 * (level + 1), w_dim]; more are not read.
      level: of the images.
      blend: how far `level` has faded in over the level below, in [0, 1].
      noise: 2 * (level + 1) planes from `draw_noise`; None is the
        deterministic mode.

    Returns:
      [N, S, S, channels], S = 4 * 2^level.
    """
    x = below = self._constant()
    for i in range(level + 1):
      below, x = x, self._run_block(i, x, styles, noise)
    image = self.to_rgb[level](at_least_float32(x))
    if is_stable(level, blend):
      return image
    below = self.to_rgb[level - 1](at_least_float32(below))
    return lerp(upsample(below), image, blend)

  def every_level(self, styles: jax.Array) -> list[jax.Array]:
    """The images of every level, to create every level's parameters."""
    x, images = self._constant(), []
    for i in range(self.levels):
      x = self._run_block(i, x, styles, None)
      images.append(self.to_rgb[i](x))
    return images

  @nn.nowrap
  def idle(self, level: int, stable: bool) -> frozenset[str]:
    """The parts that a level does not use, by name; see `Networks.idle`."""
    return idle_at(self.levels, level, stable, 'to_rgb')

  @nn.nowrap
  def draw_noise(
    self, key: jax.Array, n: int, level: int
  ) -> tuple[jax.Array, ...]:
    """2 * (level + 1) Gaussian planes [n, S, S, 1] in the order of layers."""

    def plane(layer):
      side = 4 << layer // 2
      return jax.random.normal(
        jax.random.fold_in(key, layer), (n, side, side, 1)
      )

    return tuple(plane(layer) for layer in range(2 * (level + 1)))

  @nn.nowrap
  def style_kernel(self, params: Mapping[str, Any], layer: int) -> jax.Array:
    """The kernel that makes one layer's style of w, [w_dim, 2 * channels]."""
    block = params[f'block_{layer // 2}']
    return block[f'layer_{layer % 2 + 1}']['style']['kernel']

  def _constant(self) -> jax.Array:
    # One for the whole batch: the images differ from the first style on.
    return self.const[None].astype(self.dtype)

  def _run_block(self, i, x, styles, noise) -> jax.Array:
    own = slice(2 * i, 2 * i + 2)
    return self.block[i](
      x, styles[:, own], None if noise is None else noise[own]
    )
