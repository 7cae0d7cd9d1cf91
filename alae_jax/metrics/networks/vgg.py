"""VGG16 and the perceptual distance LPIPS that is learned on it.

VGG16 by Simonyan and Zisserman (arXiv:1409.1556); LPIPS version 0.1 by Zhang
et al. (arXiv:1801.03924). Layers are numbered as torchvision numbers them
(features.0, features.2, …), by which the published files name their weights.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

# Features of each convolution, by blocks; a 2x2 max pool lies between blocks.
_BLOCKS = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
CHANNELS = tuple(block[-1] for block in _BLOCKS)

# LPIPS' own, of images in [-1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-10
_TINY = 1e-30


class Vgg16(nn.Module):
  """The convolutional part of VGG16."""

  @nn.compact
  def __call__(self, images: jax.Array) -> tuple[jax.Array, ...]:
    """The last activations of each of the five blocks.

    Args:
      images: float [N, H, W, 3], standardized; H and W 16 or more.

    Returns:
      [N, H, W, 64], [N, H/2, W/2, 128], … [N, H/16, W/16, 512].
    """
    taps: list[jax.Array] = []
    x, number = images, 0
    for block in _BLOCKS:
      if taps:
        x = nn.max_pool(x, (2, 2), (2, 2))
        number += 1
      for features in block:
        x = nn.Conv(features, (3, 3), padding=1, name=f'features_{number}')(x)
        x = nn.relu(x)
        number += 2
      taps.append(x)
    return tuple(taps)


class Lpips(nn.Module):
  """The perceptual distance of two images."""

  @nn.compact
  def __call__(self, one: jax.Array, other: jax.Array) -> jax.Array:
    """Computes distances pair by pair.

    Args:
      one: float [N, H, W, 3] in [-1, 1].
      other: as many, of the same size.

    Returns:
      float [N]; 0 for equal images.
    """
    network = Vgg16(name='vgg')
    both = units(network(standardized(jnp.concatenate([one, other]))))
    differences = [unit[: len(one)] - unit[len(one) :] for unit in both]
    weights = [
      self.param(f'lin{i}', nn.initializers.ones, (channels,))
      for i, channels in enumerate(CHANNELS)
    ]
    return weighted_squares(differences, weights)


def standardized(images: jax.Array) -> jax.Array:
  """Images in [-1, 1] as VGG16 takes them, LPIPS' way."""
  return (images - jnp.array(_SHIFT)) / jnp.array(_SCALE)


def units(taps: Sequence[jax.Array]) -> list[jax.Array]:
  """Activations whose channels have length 1 at every pixel, or 0."""
  found = []
  for features in taps:
    # The smallest root keeps the derivative finite where nothing is active.
    squares = jnp.square(features).sum(-1, keepdims=True) + _TINY
    found.append(features / (jnp.sqrt(squares) + _EPSILON))
  return found


def weighted_squares(
  differences: Sequence[jax.Array], weights: Sequence[jax.Array]
) -> jax.Array:
  """What LPIPS adds up of the differences of units, [N]."""
  return sum(
    (
      jnp.mean(jnp.square(difference) @ weight, (1, 2))
      for difference, weight in zip(differences, weights, strict=True)
    ),
    start=jnp.zeros(len(differences[0])),
  )
