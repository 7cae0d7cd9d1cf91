"""How far reconstructions G(E(x)) are from their originals."""

import concurrent.futures
import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from alae_jax.data.dataset import Dataset
from alae_jax.inference import pure
from alae_jax.inference.latents import decode, seed_keys
from alae_jax.inference.model import Model
from alae_jax.metrics import perceptual, reals, sampling
from alae_jax.metrics.base import Metric, Result, Settings, Subject, of_split
from alae_jax.metrics.protocols import Protocol
from alae_jax.metrics.similarity import mean_squared_error, psnr, ssim
from alae_jax.models.networks import Networks
from alae_jax.ops.pixels import to_float, to_uint8

MEASURES = ('latent_distance', 'psnr', 'ssim')


def reconstruct(
  model: Model, originals: np.ndarray, noise: str, seeds: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
  """G(E(x)) and how far it is from x.

  The latent distance is the root mean square over the components of
  E(x) - E(G(E(x))): the square root of what step III makes small (the
  paper's reciprocity), where 0 is perfect.

  Args:
    model: that reconstructs.
    originals: uint8 [N, H, W, C].
    noise: one of choices.NOISES.
    seeds: [N], of random noise.

  Returns:
    uint8 [N, H, W, C], and [N, 3]: latent distance, PSNR in dB and SSIM.
  """
  w = model.encode(originals)
  decoded = decode(model, model.broadcast(w), noise, seed_keys(seeds))
  distance = np.sqrt(np.square(w - model.encode(decoded)).mean(1))
  results = to_uint8(decoded)
  return results, np.stack(
    [distance, psnr(originals, results), ssim(originals, results)], axis=1
  )


@dataclasses.dataclass(frozen=True)
class _OfReconstructions(Metric):
  """What they have in common.

  Attributes:
    name: such as rec or rec1k.
    images: to reconstruct, at most; None for all.
  """

  name: str
  images: int | None

  def check(
    self, train: Dataset, test: Dataset | None, settings: Settings
  ) -> None:
    """See Metric."""
    of_split(settings.reconstructs, train, test)

  def _choice(self, subject: Subject) -> reals.Choice:
    return reals.choose(subject.to_reconstruct, self.images)

  def _originals(self, subject: Subject) -> functools.partial:
    """What makes batches of images and keys of their noise."""
    return functools.partial(
      originals_and_keys,
      subject.settings.seed,
      subject.to_reconstruct,
      self._choice(subject),
    )

  def _facts(self, subject: Subject) -> dict[str, Any]:
    return {
      'images': len(self._choice(subject).indices),
      'split': subject.settings.reconstructs,
    }


class Rec(_OfReconstructions):
  """PSNR, SSIM and squared error of pixels, and the distance in w."""

  def numbers(self, settings: Settings) -> tuple[str, ...]:
    """See Metric."""
    return tuple(f'{self.name}/{name}' for name in _MEASURED)

  def compute(self, subject: Subject) -> Result:
    """See Metric."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
      measured = subject.crew.rows(
        reconstructing(subject, _results),
        len(self._choice(subject).indices),
        self._originals(subject),
        subject.rows(64),
        self.name,
        functools.partial(_measure, pool),
      )
    names = self.numbers(subject.settings)
    return Result(
      self.name,
      dict(zip(names, measured.mean(0).tolist(), strict=True)),
      self._facts(subject),
      values=measured[:, 0],
      values_are='MSE',
      indices=self._choice(subject).indices,
    )


class LpipsRec(_OfReconstructions):
  """LPIPS between originals and reconstructions."""

  def check(
    self, train: Dataset, test: Dataset | None, settings: Settings
  ) -> None:
    """See Metric."""
    super().check(train, test, settings)
    perceptual.check_features(self.name, settings.features)
    perceptual.check_side(self.name, train.resolution)

  def numbers(self, settings: Settings) -> tuple[str, ...]:
    """See Metric."""
    return (self.name + perceptual.suffix(settings.features),)

  def make_ready(self, settings: Settings) -> None:
    """See Metric."""
    perceptual.find(settings.features)

  def compute(self, subject: Subject) -> Result:
    """See Metric."""
    network = perceptual.find(subject.settings.features)
    measured = subject.crew.rows(
      reconstructing(subject, _perceived, subject.place(network.params)),
      len(self._choice(subject).indices),
      self._originals(subject),
      subject.rows(perceptual.IMAGES_AT_ONCE),
      self.name,
    )
    values = measured.astype(np.float64)
    return Result(
      self.name,
      {self.numbers(subject.settings)[0]: float(values.mean())},
      self._facts(subject)
      | {
        'features': network.name,
        'features_identity': network.identity,
      },
      values=values,
      values_are=network.name,
      indices=self._choice(subject).indices,
    )


def originals_and_keys(
  seed: int, originals: Dataset, choice: reals.Choice, places: np.ndarray
) -> tuple:
  """Images to reconstruct, and keys of their noise, each image's its own."""
  keys = sampling.keys_of(seed, choice.indices[places])
  return choice.batch(originals, places), keys


def reconstructing(
  subject: Subject, look: Any, params: Any = None
) -> functools.partial:
  """A function of uint8 images and keys: what `look` sees in G(E(x))."""
  model = subject.model
  return functools.partial(
    _reconstruct,
    model.networks,
    model.level,
    subject.protocol,
    look,
    params,
    model.params,
    model.blend,
  )


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _reconstruct(
  networks: Networks,
  level: int,
  protocol: Protocol,
  look: Any,
  of_look: Any,
  params: Any,
  blend: float,
  images: jax.Array,
  keys: jax.Array,
) -> Any:
  w = pure.apply_e(networks, level, params, blend, images)
  decoded = pure.apply_g(
    networks, level, params, blend, networks.broadcast(w), keys
  )
  again = pure.apply_e(networks, level, params, blend, decoded)
  distance = jnp.sqrt(jnp.square(w - again).mean(1))
  return look(of_look, images, protocol.to_bytes(decoded), distance)


def _results(_: None, images: Any, results: Any, distance: Any) -> tuple:
  return images, results, distance


def _perceived(params: Any, images: Any, results: Any, _: Any) -> jax.Array:
  return perceptual.distance(params, to_float(images), to_float(results))


_MEASURED = 'mse', 'psnr', 'ssim', 'latent_distance'


def _measure(
  pool: concurrent.futures.Executor,
  batch: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
  """_MEASURED of each image, float64 [N, 4]."""

  def measure(one: tuple[np.ndarray, np.ndarray, float]) -> tuple:
    original, result = one[0][None], one[1][None]
    return (
      mean_squared_error(original, result)[0],
      psnr(original, result)[0],
      ssim(original, result)[0],
      one[2],
    )

  return np.array(list(pool.map(measure, zip(*batch, strict=True))), float)
