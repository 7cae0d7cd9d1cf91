"""The Inception network of 2015-12-05, whose features FID compares.

It is Inception v3 (Szegedy et al., arXiv:1512.00567) as TensorFlow's frozen
graph has it, which differs from torchvision's: average pools leave the padding
out of their means, the last block has a max pool where it has an average pool,
and batch norm's epsilon is 1e-3. Layers are called as torchvision calls them,
by which the published PyTorch files name their weights.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

FEATURES = 2048
CLASSES = 1008  # of the frozen graph; FID needs none
SIDE = 299

_EPSILON = 1e-3

Pair = tuple[int, int]


class ConvBn(nn.Module):
  """Convolution without bias, batch norm with fixed statistics, ReLU.

  Attributes:
    features: output channels.
    kernel: height and width.
    stride: in both directions.
    padding: above and below, left and right.
  """

  features: int
  kernel: Pair = (1, 1)
  stride: int = 1
  padding: Pair = (0, 0)

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[N, H, W, C] -> [N, H', W', features]."""
    shape = (*self.kernel, x.shape[-1], self.features)
    kernel = self.param('kernel', nn.initializers.he_normal(), shape)
    scale, bias, mean, var = (
      self.param(name, init, (self.features,))
      for name, init in (
        ('scale', nn.initializers.ones),
        ('bias', nn.initializers.zeros),
        ('mean', nn.initializers.zeros),
        ('var', nn.initializers.ones),
      )
    )
    x = jax.lax.conv_general_dilated(
      x,
      kernel,
      (self.stride, self.stride),
      [(side, side) for side in self.padding],
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )
    factor = scale * jax.lax.rsqrt(var + _EPSILON)
    return nn.relu((x - mean) * factor + bias)


class BlockA(nn.Module):
  """The 35x35 block (Mixed_5b to 5d)."""

  pooled: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[N, 35, 35, C] -> [N, 35, 35, 224 + pooled]."""
    five = ConvBn(48, name='branch5x5_1')(x)
    three = ConvBn(64, name='branch3x3dbl_1')(x)
    three = ConvBn(96, (3, 3), padding=(1, 1), name='branch3x3dbl_2')(three)
    return _join(
      ConvBn(64, name='branch1x1')(x),
      ConvBn(64, (5, 5), padding=(2, 2), name='branch5x5_2')(five),
      ConvBn(96, (3, 3), padding=(1, 1), name='branch3x3dbl_3')(three),
      ConvBn(self.pooled, name='branch_pool')(_average_pool(x)),
    )


class BlockB(nn.Module):
  """From 35x35 to 17x17 (Mixed_6a)."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[N, 35, 35, 288] -> [N, 17, 17, 768]."""
    three = ConvBn(64, name='branch3x3dbl_1')(x)
    three = ConvBn(96, (3, 3), padding=(1, 1), name='branch3x3dbl_2')(three)
    return _join(
      ConvBn(384, (3, 3), 2, name='branch3x3')(x),
      ConvBn(96, (3, 3), 2, name='branch3x3dbl_3')(three),
      _max_pool(x),
    )


class BlockC(nn.Module):
  """The 17x17 block of factorized 7x7 convolutions (Mixed_6b to 6e)."""

  inner: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[N, 17, 17, 768] -> [N, 17, 17, 768]."""
    seven = _chain(x, 'branch7x7', (self.inner, self.inner, 192), 'hv')
    double = _chain(x, 'branch7x7dbl', (*(self.inner,) * 4, 192), 'vhvh')
    return _join(
      ConvBn(192, name='branch1x1')(x),
      seven,
      double,
      ConvBn(192, name='branch_pool')(_average_pool(x)),
    )


class BlockD(nn.Module):
  """From 17x17 to 8x8 (Mixed_7a)."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[N, 17, 17, 768] -> [N, 8, 8, 1280]."""
    three = ConvBn(192, name='branch3x3_1')(x)
    seven = _chain(x, 'branch7x7x3', (192, 192, 192), 'hv')
    return _join(
      ConvBn(320, (3, 3), 2, name='branch3x3_2')(three),
      ConvBn(192, (3, 3), 2, name='branch7x7x3_4')(seven),
      _max_pool(x),
    )


class BlockE(nn.Module):
  """The 8x8 block (Mixed_7b and 7c).

  Attributes:
    max_pooled: whether its pool is a max pool, as the last block's is.
  """

  max_pooled: bool

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[N, 8, 8, C] -> [N, 8, 8, 2048]."""
    three = ConvBn(384, name='branch3x3_1')(x)
    double = ConvBn(448, name='branch3x3dbl_1')(x)
    double = ConvBn(384, (3, 3), padding=(1, 1), name='branch3x3dbl_2')(double)
    pool = _max_pool(x, 1, 1) if self.max_pooled else _average_pool(x)
    return _join(
      ConvBn(320, name='branch1x1')(x),
      *_split(three, 'branch3x3_2'),
      *_split(double, 'branch3x3dbl_3'),
      ConvBn(192, name='branch_pool')(pool),
    )


class Inception(nn.Module):
  """Images to the features that FID compares."""

  @nn.compact
  def __call__(self, images: jax.Array) -> dict[str, jax.Array]:
    """Computes the features.

    Args:
      images: float [N, 299, 299, 3], (x - 128) / 128 of bytes.

    Returns:
      By name the output of every block, 'pool' [N, 2048], which FID and KID
      take, and 'logits' [N, 1008].
    """
    taps: dict[str, jax.Array] = {}

    def tap(name: str, x: jax.Array) -> jax.Array:
      taps[name] = x
      return x

    x = ConvBn(32, (3, 3), 2, name='Conv2d_1a_3x3')(images)
    x = ConvBn(32, (3, 3), name='Conv2d_2a_3x3')(x)
    x = ConvBn(64, (3, 3), padding=(1, 1), name='Conv2d_2b_3x3')(x)
    x = tap('stem', _max_pool(x))
    x = ConvBn(80, name='Conv2d_3b_1x1')(x)
    x = ConvBn(192, (3, 3), name='Conv2d_4a_3x3')(x)
    x = tap('stem2', _max_pool(x))
    for name, pooled in (('5b', 32), ('5c', 64), ('5d', 64)):
      x = tap(name, BlockA(pooled, name=f'Mixed_{name}')(x))
    x = tap('6a', BlockB(name='Mixed_6a')(x))
    for name, inner in (('6b', 128), ('6c', 160), ('6d', 160), ('6e', 192)):
      x = tap(name, BlockC(inner, name=f'Mixed_{name}')(x))
    x = tap('7a', BlockD(name='Mixed_7a')(x))
    for name in ('7b', '7c'):
      x = tap(name, BlockE(name == '7c', name=f'Mixed_{name}')(x))
    x = tap('pool', jnp.mean(x, (1, 2)))
    tap('logits', nn.Dense(CLASSES, name='fc')(x))
    return taps


def _chain(
  x: jax.Array, name: str, features: Sequence[int], directions: str
) -> jax.Array:
  """A 1x1 convolution, then 1x7 ('h') and 7x1 ('v') ones."""
  x = ConvBn(features[0], name=f'{name}_1')(x)
  for i, (size, direction) in enumerate(
    zip(features[1:], directions, strict=True), start=2
  ):
    kernel, padding = ((1, 7), (0, 3)) if direction == 'h' else ((7, 1), (3, 0))
    x = ConvBn(size, kernel, padding=padding, name=f'{name}_{i}')(x)
  return x


def _split(x: jax.Array, name: str) -> tuple[jax.Array, jax.Array]:
  """A 1x3 and a 3x1 convolution side by side."""
  return (
    ConvBn(384, (1, 3), padding=(0, 1), name=f'{name}a')(x),
    ConvBn(384, (3, 1), padding=(1, 0), name=f'{name}b')(x),
  )


def _join(*branches: jax.Array) -> jax.Array:
  return jnp.concatenate(branches, axis=-1)


def _average_pool(x: jax.Array) -> jax.Array:
  """3x3 means at every pixel, of those pixels that are in the image."""
  return nn.avg_pool(
    x, (3, 3), (1, 1), ((1, 1), (1, 1)), count_include_pad=False
  )


def _max_pool(x: jax.Array, stride: int = 2, padding: int = 0) -> jax.Array:
  sides = ((padding, padding), (padding, padding))
  return nn.max_pool(x, (3, 3), (stride, stride), sides)
