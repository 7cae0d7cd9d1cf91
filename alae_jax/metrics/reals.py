"""Features of real images, which are computed once and kept on the disk."""

import dataclasses
import functools
import io
from typing import Any

import jax
import numpy as np
from etils import epath

from alae_jax import storage
from alae_jax.data.dataset import Dataset, digest
from alae_jax.errors import reason, tell
from alae_jax.metrics.base import Subject
from alae_jax.metrics.features import Extract, Features
from alae_jax.metrics.statistics import Moments

_SEED = 0  # of which images are chosen: not that of a model's latents
_FORM = 1  # of the files; another number makes those of before unread


@dataclasses.dataclass(frozen=True)
class Choice:
  """Some of a dataset's images, in order.

  Attributes:
    indices: of the images, [N].
    mirrored: which of them are, bool [N].
  """

  indices: np.ndarray
  mirrored: np.ndarray

  def batch(self, dataset: Dataset, places: np.ndarray) -> np.ndarray:
    """The images at some places of the choice, uint8."""
    images = dataset.batch(self.indices[places])['image']
    mirrored = self.mirrored[places][:, None, None, None]
    return np.where(mirrored, images[:, :, ::-1], images)

  @property
  def fingerprint(self) -> str:
    """Tells it from other choices."""
    return digest(self.indices.astype(np.int64), self.mirrored.astype(np.uint8))


def choose(dataset: Dataset, count: int | None, mirror: bool = False) -> Choice:
  """At most `count` images at random, None for all, in a dataset's order.

  Args:
    dataset: that they are of.
    count: of images.
    mirror: whether every second one is mirrored, at random.
  """
  rng = np.random.default_rng(_SEED)
  indices = np.arange(len(dataset))
  if count is not None and count < len(dataset):
    indices = np.sort(rng.choice(indices, count, replace=False))
  mirrored = rng.random(len(indices)) < 0.5
  return Choice(indices, mirrored & mirror)


def moments(subject: Subject, dataset: Dataset, choice: Choice) -> Moments:
  """The moments of real images' features."""

  def compute() -> dict[str, np.ndarray]:
    found = add_up(
      subject,
      _looking(subject.features),
      len(choice.indices),
      functools.partial(_images, dataset, choice),
      _title(subject, dataset, choice),
    )
    return {
      'count': np.array(found.count),
      'sums': found.sums,
      'products': found.products,
    }

  kept = _kept(subject, dataset, choice, 'moments', compute)
  return Moments(int(kept['count']), kept['sums'], kept['products'])


def vectors(subject: Subject, dataset: Dataset, choice: Choice) -> np.ndarray:
  """Real images' features themselves, float32 [N, D]."""

  def compute() -> dict[str, np.ndarray]:
    function = _looking(subject.features)
    batch_of = functools.partial(_images, dataset, choice)
    title = _title(subject, dataset, choice)
    return {
      'features': all_rows(
        subject, function, len(choice.indices), batch_of, title
      )
    }

  return _kept(subject, dataset, choice, 'features', compute)['features']


def add_up(
  subject: Subject, function: Any, count: int, batch_of: Any, title: str
) -> Moments:
  """The moments of what a function gives for `count` rows, of all processes."""
  crew = subject.crew
  rows = subject.rows(subject.features.at_once)
  found: Moments | None = None
  for features in crew.each(function, count, batch_of, rows, title):
    require_finite(features, subject.features)
    found = (found or Moments.none(features.shape[1])).add(features)
  assert found is not None
  return Moments(
    count,
    crew.total(found.sums, count),
    crew.total(found.products, count),
  )


def all_rows(
  subject: Subject, function: Any, count: int, batch_of: Any, title: str
) -> np.ndarray:
  """What a function gives for `count` rows, of all processes: [count, D]."""
  rows = subject.rows(subject.features.at_once)
  found = subject.crew.rows(function, count, batch_of, rows, title)
  require_finite(found, subject.features)
  return found


def require_finite(found: np.ndarray, features: Features) -> None:
  """Refuses features that no distance can be computed of.

  Raises:
    FloatingPointError: says whose they are.
  """
  if not np.isfinite(found).all():
    raise FloatingPointError(
      f'features {features.name} are not finite: its weights are not what they '
      f'should be ({features.identity})'
    )


def _images(dataset: Dataset, choice: Choice, places: np.ndarray) -> tuple:
  return (choice.batch(dataset, places),)


def _title(subject: Subject, dataset: Dataset, choice: Choice) -> str:
  return (
    f'{subject.features.name} of {len(choice.indices):,} images of '
    f'{dataset.name}'
  )


def _looking(features: Features) -> functools.partial:
  return functools.partial(_extract, features.extract, features.params)


@functools.partial(jax.jit, static_argnums=0)
def _extract(extract: Extract, params: Any, images: jax.Array) -> jax.Array:
  return extract(params, images)


def _kept(
  subject: Subject, dataset: Dataset, choice: Choice, kind: str, compute: Any
) -> dict[str, np.ndarray]:
  """What lies in the cache, or is computed and put there."""
  seen = subject.features
  key = digest(
    *(
      f'{part}\n'.encode()
      for part in (
        _FORM,
        dataset.fingerprint,
        dataset.resolution,
        choice.fingerprint,
        seen.name,
        seen.identity,
        subject.protocol.name,
        kind,
      )
    )
  )
  path = storage.cache_folder() / 'statistics' / f'{key}.npz'
  found = _read(path)
  if subject.crew.agree(found is not None) and found is not None:
    return found
  computed = compute()
  _write(path, computed)
  return computed


def _read(path: epath.Path) -> dict[str, np.ndarray] | None:
  """None where there is nothing, or nothing whole: it is computed anew."""
  try:
    with path.open('rb') as file, np.load(file, allow_pickle=False) as arrays:
      return dict(arrays)
  except Exception:  # damaged files fail in many ways
    return None


def _write(path: epath.Path, arrays: dict[str, np.ndarray]) -> None:
  buffer = io.BytesIO()
  np.savez(buffer, **arrays)  # type: ignore[arg-type]
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    storage.write_whole(path, buffer.getvalue())
  except OSError as error:  # the next evaluation takes as long, and that is all
    tell(
      f'warning: statistics of real images are not kept: {path}: '
      f'{error.strerror or reason(error)}'
    )
