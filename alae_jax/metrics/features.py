"""What images are compared by: features, of one network or another.

Inception's pool features give FID, KID, precision and recall. The others need
no download and give distances with names of their own, which compare runs with
one another and with nothing that was published.
"""

import dataclasses
import functools
from collections.abc import Callable, Hashable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from alae_jax.data.dataset import digest
from alae_jax.errors import UserError
from alae_jax.inference.loading import load
from alae_jax.metrics import protocols
from alae_jax.metrics.networks import inception, weights
from alae_jax.models.networks import Networks, Stage
from alae_jax.ops.pixels import to_float

NAMES = ('inception', 'random', 'pixels', 'probe:RUN')
INCEPTION, RANDOM, PIXELS, PROBE = 'inception', 'random', 'pixels', 'probe'

SEED = 0  # of the random networks
_PIXEL_SIDE = 16
# On each device: 3 GB of Inception's activations. A processor's memory is slow
# to be had anew in each call, and a few images keep it busy.
_IMAGES_AT_ONCE = 64
_IMAGES_AT_ONCE_ON_CPU = 2


class Extract(Hashable, Protocol):
  """A pure function that knows no numbers, so that it is compiled once."""

  def __call__(self, params: Any, images: jax.Array, /) -> jax.Array:
    """uint8 [N, H, W, C] -> features [N, D]."""
    ...


@dataclasses.dataclass(frozen=True)
class Features:
  """A network whose features are compared, with its parameters.

  Attributes:
    name: 'inception', 'random_inception', 'pixels' or 'probe'.
    extract: params, uint8 images -> features.
    params: of the network.
    identity: tells these parameters from others: a file's SHA-256, or what
      they were made from.
    at_once: images for each device in one call, at most.
  """

  name: str
  extract: Extract
  params: Any
  identity: str
  at_once: int


@dataclasses.dataclass(frozen=True)
class OfInception:
  """The pool features, [N, 2048], of images as a protocol prepares them."""

  protocol: protocols.Protocol

  def __call__(self, params: Any, images: jax.Array) -> jax.Array:
    """See Extract."""
    prepared = self.protocol.prepare(images)
    # Accelerators would round to bfloat16 or TF32, and others' numbers are not
    # computed so.
    with jax.default_matmul_precision('float32'):
      taps: Any = inception.Inception().apply({'params': params}, prepared)
    return taps['pool']


@dataclasses.dataclass(frozen=True)
class OfPixels:
  """The pixels in [0, 1] themselves, of images shrunk to at most 16x16."""

  def __call__(self, params: Any, images: jax.Array) -> jax.Array:
    """See Extract."""
    pixels = images.astype(jnp.float32) / 255
    side = min(_PIXEL_SIDE, images.shape[1])
    shape = (len(images), side, side, images.shape[3])
    pixels = jax.image.resize(pixels, shape, 'linear')  # averages
    return pixels.reshape(len(images), -1)


@dataclasses.dataclass(frozen=True)
class OfEncoder:
  """w as E of a run gives it, [N, w_dim]."""

  networks: Networks
  level: int

  def __call__(self, params: Any, images: jax.Array) -> jax.Array:
    """See Extract; params are those of all networks, and how far faded in."""
    of_networks, blend = params
    stage = Stage(self.level, blend)
    return self.networks.encode(of_networks, to_float(images), stage)


def check_name(name: str) -> None:
  """Refuses features that do not exist.

  Raises:
    UserError: names those that do.
  """
  first, _, run = name.partition(':')
  of_run = first == PROBE and run
  if not of_run and name not in (INCEPTION, RANDOM, PIXELS):
    raise UserError(f'features {name!r}: there is {", ".join(NAMES)}')


def suffix(name: str) -> str:
  """What a number is called after, by NAMES; '' for Inception's own."""
  first = name.partition(':')[0]
  called = {INCEPTION: '', RANDOM: '_random_inception'}
  return called.get(first, f'_{first}')


def find(name: str, protocol: protocols.Protocol) -> Features:
  """The features of a name; weights are read or downloaded where need be.

  Args:
    name: one of NAMES.
    protocol: how Inception sees images.

  Raises:
    UserError: there are no such features, weights or run.
  """
  check_name(name)
  _, _, run = name.partition(':')
  return _of_stored(run) if run else _FIND[name](protocol)


@functools.cache
def _of_stored(run: str) -> Features:
  """E of a run, which takes images of one size; read once."""
  model = load(run)
  leaves = jax.tree.leaves(model.params['encoder'])
  identity = digest(*(np.ascontiguousarray(leaf) for leaf in leaves))
  return Features(
    PROBE,
    OfEncoder(model.networks, model.level),
    (model.params, model.blend),
    f'{model.address or run} after {model.images_seen} images, E {identity}',
    model.images_at_once,
  )


def _images_at_once() -> int:
  on_cpu = jax.default_backend() == 'cpu'
  return _IMAGES_AT_ONCE_ON_CPU if on_cpu else _IMAGES_AT_ONCE


@functools.cache
def _inception(protocol: protocols.Protocol) -> Features:
  stored = weights.load('inception')
  return Features(
    INCEPTION,
    OfInception(protocol),
    stored.params,
    stored.sha256,
    _images_at_once(),
  )


@functools.cache
def _random_inception(protocol: protocols.Protocol) -> Features:
  shape = (1, inception.SIDE, inception.SIDE, 3)
  return Features(
    'random_inception',
    OfInception(protocol),
    random_params(inception.Inception(), shape),
    f'He normal, seed {SEED}',
    _images_at_once(),
  )


def _pixels(protocol: protocols.Protocol) -> Features:
  side = f'{_PIXEL_SIDE}x{_PIXEL_SIDE}'
  return Features(PIXELS, OfPixels(), {}, f'at most {side}', 1024)


_FIND: dict[str, Callable[[protocols.Protocol], Features]] = {
  INCEPTION: _inception,
  RANDOM: _random_inception,
  PIXELS: _pixels,
}


def random_params(module: Any, *shapes: tuple[int, ...]) -> Any:
  """He normal kernels, the rest as the module says, from a seed; in numpy.

  So they are the same on every machine and with every version of jax.
  """
  samples = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
  abstract = jax.eval_shape(module.init, jax.random.key(0), *samples)
  rng = np.random.default_rng(SEED)

  def draw(path: Any, leaf: Any) -> np.ndarray:
    name = path[-1].key
    if name == 'kernel':
      spread = np.sqrt(2 / np.prod(leaf.shape[:-1]))
      drawn = rng.standard_normal(leaf.shape, np.float32)
      return (spread * drawn).astype(np.float32)
    ones = name in ('scale', 'var') or name.startswith('lin')
    return np.full(leaf.shape, ones, np.float32)

  return jax.tree_util.tree_map_with_path(draw, abstract['params'])


def check_images(name: str, side: int, channels: int) -> None:
  """Refuses images that the E of `probe:RUN` does not take.

  Args:
    name: of features.
    side: of the images.
    channels: likewise.

  Raises:
    UserError: says what it takes, or that there is no such run.
  """
  run = name.partition(':')[2]
  if not run:
    return
  extract = _of_stored(run).extract
  assert isinstance(extract, OfEncoder)
  networks = extract.networks
  takes = networks.resolutions[extract.level], networks.channels
  if takes != (side, channels):
    raise UserError(
      f'features {name}: E of that run takes {_shape(*takes)}, and these '
      f'images are {_shape(side, channels)}'
    )


def _shape(side: int, channels: int) -> str:
  return f'{side}x{side} {"grey" if channels == 1 else "RGB"}'
