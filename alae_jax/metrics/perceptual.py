"""LPIPS as metrics use it, and what they ask of images for it."""

import dataclasses
import functools
from typing import Any

import jax

from alae_jax.errors import UserError
from alae_jax.metrics.features import (
  INCEPTION,
  RANDOM,
  SEED,
  random_params,
)
from alae_jax.metrics.networks import vgg, weights
from alae_jax.metrics.protocols import to_colours

IMAGES_AT_ONCE = 32  # pairs, on each device
_SMALLEST = 16  # that four poolings leave a pixel of


@dataclasses.dataclass(frozen=True)
class Perceptual:
  """LPIPS' parameters, and where they come from.

  Attributes:
    name: 'lpips', or 'lpips_random' with random weights.
    params: of vgg.Lpips.
    identity: a file's SHA-256, or what they were made from.
  """

  name: str
  params: Any
  identity: str


def suffix(features: str) -> str:
  """What a number is called after; '' for LPIPS' own."""
  return '_random' if features == RANDOM else ''


@functools.cache
def find(features: str) -> Perceptual:
  """LPIPS with the published weights, or with random ones.

  Args:
    features: of the settings.

  Raises:
    UserError: with these features there is none, or no weights.
  """
  if features == RANDOM:
    shape = (1, 32, 32, 3)
    params = random_params(vgg.Lpips(), shape, shape)
    return Perceptual('lpips_random', params, f'He normal, seed {SEED}')
  check_features('a perceptual distance', features)
  stored = weights.load('lpips')
  return Perceptual('lpips', stored.params, stored.sha256)


def check_features(metric: str, features: str) -> None:
  """Refuses features with which there is no perceptual distance.

  Raises:
    UserError: names those with which there is.
  """
  if features not in (INCEPTION, RANDOM):
    raise UserError(
      f'{metric} with features {features!r}: it is of LPIPS, which goes with '
      f'{INCEPTION}, or of random weights, which go with {RANDOM}'
    )


def check_side(metric: str, side: int) -> None:
  """Refuses images that are too small.

  Raises:
    UserError: says how large they must be.
  """
  if side < _SMALLEST:
    raise UserError(
      f'{metric}: what LPIPS would be given is {side}x{side}, and it takes '
      f'{_SMALLEST}x{_SMALLEST} or more'
    )


def distance(params: Any, one: jax.Array, other: jax.Array) -> jax.Array:
  """Of images in [-1, 1], grey ones too, [N, H, W, C] twice -> [N]."""
  both = to_colours(one), to_colours(other)
  with jax.default_matmul_precision('float32'):  # as Inception's
    found: Any = vgg.Lpips().apply({'params': params}, *both)
  return found


def squared_speed(
  params: Any, images: jax.Array, changes: jax.Array
) -> jax.Array:
  """LPIPS between images and images + ε · changes, by ε², where ε goes to 0.

  Args:
    params: of vgg.Lpips.
    images: in [-1, 1], grey ones too, [N, H, W, C].
    changes: of the same shape.

  Returns:
    [N].
  """

  def units_of(images: jax.Array) -> list[jax.Array]:
    taps = vgg.Vgg16().apply(
      {'params': params['vgg']}, vgg.standardized(to_colours(images))
    )
    return vgg.units(taps)  # type: ignore[arg-type]

  with jax.default_matmul_precision('float32'):
    _, speeds = jax.jvp(units_of, (images,), (changes,))
    weights = [params[f'lin{i}'] for i in range(len(speeds))]
    return vgg.weighted_squares(speeds, weights)
