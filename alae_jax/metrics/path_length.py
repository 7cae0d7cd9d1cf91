"""Perceptual path length: how smoothly images change with the latent.

LPIPS between the images of two points on a path between two latents, ε of the
path apart, by ε², in the mean over paths (Karras et al. 2019, 4.1). The
outermost hundredth at either side is left out.

Others take ε = 1e-4 and the difference of two images, of which rounding in
float32 leaves two or three digits. Here ε goes to 0: derivatives along the path
have all their digits, and what is computed in float64 with ε = 1e-4 agrees.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from alae_jax.data.dataset import Dataset
from alae_jax.inference import pure
from alae_jax.metrics import perceptual, sampling
from alae_jax.metrics.base import Metric, Result, Settings, Subject
from alae_jax.models import styles as styles_lib
from alae_jax.models.networks import Networks

_LARGEST = 256  # larger images are averaged down to it
_PERCENTILES = 1, 99


@dataclasses.dataclass(frozen=True)
class Path:
  """Where paths run and what of an image is looked at.

  Attributes:
    space: 'w' for straight lines in w, 'z' for arcs in z.
    full: whether paths are looked at anywhere, or where they begin.
    cropped: whether only a face's middle counts: rows 3/8 to 7/8, columns 2/8
      to 6/8.
  """

  space: str
  full: bool
  cropped: bool


@dataclasses.dataclass(frozen=True)
class PathLength(Metric):
  """Perceptual path length.

  Attributes:
    name: such as ppl_w_end.
    pairs: of latents.
    path: between them.
  """

  name: str
  pairs: int
  path: Path

  def check(
    self, train: Dataset, test: Dataset | None, settings: Settings
  ) -> None:
    """See Metric."""
    perceptual.check_features(self.name, settings.features)
    perceptual.check_side(self.name, self._side(train.resolution))

  def make_ready(self, settings: Settings) -> None:
    """See Metric."""
    perceptual.find(settings.features)

  def numbers(self, settings: Settings) -> tuple[str, ...]:
    """See Metric."""
    return (self.name + perceptual.suffix(settings.features),)

  def compute(self, subject: Subject) -> Result:
    """See Metric."""
    model, settings = subject.model, subject.settings
    network = perceptual.find(settings.features)
    lengths = subject.crew.rows(
      functools.partial(
        _lengths,
        model.networks,
        model.level,
        self.path,
        perceptual.squared_speed,
        subject.place(network.params),
        model.params,
        model.blend,
        model.mean_w,
        settings.truncation,
      ),
      self.pairs,
      functools.partial(sampling.keys_batch, settings.seed),
      subject.rows(perceptual.IMAGES_AT_ONCE),
      self.name,
    )
    return Result(
      self.name,
      {self.numbers(settings)[0]: mean_within(lengths)},
      {
        'images': self.pairs,
        'features': network.name,
        'features_identity': network.identity,
        'truncation': settings.truncation,
        'face_crop': self.path.cropped,
      },
    )

  def _side(self, resolution: int) -> int:
    return resolution // 2 if self.path.cropped else resolution


def mean_within(lengths: np.ndarray) -> float:
  """The mean of what lies between the first and the last hundredth."""
  lengths = np.asarray(lengths, np.float64)
  low = np.percentile(lengths, _PERCENTILES[0], method='lower')
  high = np.percentile(lengths, _PERCENTILES[1], method='higher')
  return float(lengths[(lengths >= low) & (lengths <= high)].mean())


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _lengths(
  networks: Networks,
  level: int,
  path: Path,
  squared_speed: Any,
  of_speed: Any,
  params: Any,
  blend: float,
  mean_w: jax.Array,
  psi: float,
  keys: jax.Array,
) -> jax.Array:
  """The length by each key, [N]; see perceptual.squared_speed."""
  of_z, of_other, of_place, of_noise = jax.vmap(
    lambda key: jax.random.split(key, 4), out_axes=1
  )(keys)
  z, other = (sampling.draw_z(networks, key) for key in (of_z, of_other))
  place = jnp.zeros(len(z))
  if path.full:
    place = jax.vmap(jax.random.uniform)(of_place)

  def images_at(place: jax.Array) -> jax.Array:
    w = _point(networks, params, path, z, other, place[:, None])
    styles = networks.broadcast(w)
    styles = styles_lib.truncate(styles, mean_w, psi, networks.layers)
    # One and the same noise all along a path.
    decoded = pure.apply_g(networks, level, params, blend, styles, of_noise)
    return _looked_at(decoded, path.cropped)

  # The convolutions have derivatives of the reverse kind: the one that is
  # wanted here is the transpose of theirs.
  images, pull = jax.vjp(images_at, place)
  _, push = jax.vjp(lambda weights: pull(weights)[0], jnp.zeros_like(images))
  (changes,) = push(jnp.ones_like(place))
  return squared_speed(of_speed, images, changes)


def _point(
  networks: Networks,
  params: Any,
  path: Path,
  z: jax.Array,
  other: jax.Array,
  place: jax.Array,
) -> jax.Array:
  """The point of each path, as w."""
  if path.space == 'z':
    return networks.map(params, slerp(z, other, place))
  one, end = networks.map(params, z), networks.map(params, other)
  return one + (end - one) * place


def slerp(z: jax.Array, other: jax.Array, place: jax.Array) -> jax.Array:
  """Points on the arc between directions, as far out as z usually is.

  Args:
    z: [N, D].
    other: [N, D].
    place: 0 is at z, 1 at the other; [N, 1].

  Returns:
    [N, D], each of length sqrt(D).
  """
  one, end = _unit(z), _unit(other)
  cosine = (one * end).sum(1, keepdims=True)
  across = _unit(end - cosine * one)
  angle = place * jnp.arccos(jnp.clip(cosine, -1, 1))
  point = one * jnp.cos(angle) + across * jnp.sin(angle)
  return _unit(point) * z.shape[1] ** 0.5


def _unit(x: jax.Array) -> jax.Array:
  return x / jnp.linalg.norm(x, axis=1, keepdims=True)


def _looked_at(images: jax.Array, cropped: bool) -> jax.Array:
  """What LPIPS is given of images [N, S, S, C]."""
  if cropped:
    unit = images.shape[1] // 8
    images = images[:, 3 * unit : 7 * unit, 2 * unit : 6 * unit]
  n, side, _, channels = images.shape
  if side > _LARGEST:
    block = side // _LARGEST
    shape = (n, _LARGEST, block, _LARGEST, block, channels)
    images = images.reshape(shape).mean((2, 4))
  return images
