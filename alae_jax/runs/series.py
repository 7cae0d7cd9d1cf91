"""A run's numbers over images seen: records in, curves out."""

import array
import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from alae_jax.errors import UserError
from alae_jax.runs.records import is_number

SPEED = 'images_per_second'

# Records of an evaluation have one of these words; those of training neither.
_EVALUATED = ('metric', 'weights')
# How it was done: numbers are compared only where all of these are the same.
_SETTING = ('weights', 'protocol', 'features', 'truncation')
# Numbers that say where a record belongs and how it was made.
_BOOKKEEPING = (
  'images_seen',
  'step',
  'seconds',
  'resolution',
  'blend',
  'truncation',
  'seed',
  'images',
)
# Read against one another, and of one scale.
_TOGETHER = {'loss': 'loss_', 'logit': 'logit_', 'probe': 'probe/'}
# What float32 holds, as numbers of training are. Pictures of more would fail.
_LARGEST = 3.5e38
# In halves of the range of nearly all values.
_FAR_OFF = 6


class Level(NamedTuple):
  """Where a level of resolution begins.

  Attributes:
    images_seen: before its first step.
    resolution: side of its images.
  """

  images_seen: float
  resolution: int


@dataclasses.dataclass(frozen=True)
class Series:
  """One number, every time that it was recorded.

  Attributes:
    name: its key in the records.
    images_seen: [N], ascending, none twice.
    values: [N], all finite.
    setting: of an evaluation, {'weights': 'ema', ...}; None of training.
  """

  name: str
  images_seen: np.ndarray
  values: np.ndarray
  setting: Mapping[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Curves:
  """All that can be drawn of a run.

  Attributes:
    series: training first; losses, other numbers, speed, evaluations.
    levels: of a run that grows, from its first on; () of others.
  """

  series: tuple[Series, ...]
  levels: tuple[Level, ...] = ()

  def names(self) -> list[str]:
    """Of the numbers, each once."""
    return list(dict.fromkeys(series.name for series in self.series))

  def only(self, names: Iterable[str]) -> 'Curves':
    """Those numbers alone."""
    kept = frozenset(names)
    series = tuple(series for series in self.series if series.name in kept)
    return dataclasses.replace(self, series=series)


class _Points:
  """Numbers as they are read: millions need not be Python's objects."""

  def __init__(self) -> None:
    self._images_seen = array.array('d')
    self._values = array.array('d')

  def add(self, images_seen: float, value: float) -> None:
    self._images_seen.append(images_seen)
    self._values.append(value)

  def sorted(self) -> tuple[np.ndarray, np.ndarray]:
    """By images seen; of several after the same images the last one."""
    images_seen, values = map(np.array, (self._images_seen, self._values))
    order = np.argsort(images_seen, kind='stable')
    images_seen, values = images_seen[order], values[order]
    last = np.diff(images_seen, append=np.inf) > 0
    return images_seen[last], values[last]


def curves_of(records: Iterable[Mapping[str, Any]]) -> Curves:
  """The curves of a run's records, in whatever order they are."""
  found: dict[tuple[str, tuple[tuple[str, str], ...] | None], _Points] = {}
  sides = _Points()
  for record in records:
    setting = _setting(record)
    images_seen = record['images_seen']
    if not _can_be_drawn(images_seen):
      continue
    for name, value in record.items():
      if _can_be_drawn(value) and not _is_bookkeeping(name):
        points = found.setdefault((name, setting), _Points())
        points.add(images_seen, value)
    if setting is None and _can_be_drawn(record.get('resolution')):
      sides.add(images_seen, record['resolution'])
  series = [
    Series(name, *points.sorted(), None if setting is None else dict(setting))
    for (name, setting), points in found.items()
  ]
  return Curves(tuple(sorted(series, key=_rank)), _levels(*sides.sorted()))


def _setting(record: Mapping[str, Any]) -> tuple[tuple[str, str], ...] | None:
  """How an evaluation was done; None of a record of training."""
  if not any(isinstance(record.get(word), str) for word in _EVALUATED):
    return None
  return tuple(
    (field, f'{value:g}' if is_number(value) else str(value))
    for field in _SETTING
    if (value := record.get(field)) is not None
  )


def _can_be_drawn(value: Any) -> bool:
  return is_number(value) and abs(value) < _LARGEST


@functools.cache
def _is_bookkeeping(name: str) -> bool:
  """Whether a number is no result; 'probe/train_images' is a count too."""
  return name in _BOOKKEEPING or name.endswith('_images')


def _rank(series: Series) -> tuple[bool, bool, bool]:
  return (
    series.setting is not None,
    series.name == SPEED,
    not series.name.startswith(_TOGETHER['loss']),
  )


def _levels(images_seen: np.ndarray, sides: np.ndarray) -> tuple[Level, ...]:
  """A level's last record is of its last step: the next begins there."""
  reached = np.maximum.accumulate(sides)
  changes = np.flatnonzero(np.diff(reached))
  if not changes.size:
    return ()
  return (
    Level(0.0, int(reached[0])),
    *(Level(float(images_seen[i]), int(reached[i + 1])) for i in changes),
  )


def choose(known: Sequence[str], wanted: Iterable[str]) -> list[str]:
  """The names that are meant, in the order of `known`.

  Args:
    known: all names.
    wanted: names, or beginnings of names such as 'loss'.

  Raises:
    UserError: names one that means nothing, and tells all names.
  """
  chosen: set[str] = set()
  for word in wanted:
    begin_so = [name for name in known if name.startswith(word)]
    meant = [word] if word in known else begin_so
    if not meant:
      raise UserError(f'no number {word!r}: there is {", ".join(known)}')
    chosen.update(meant)
  return [name for name in known if name in chosen]


def grouped(names: Iterable[str]) -> dict[str, list[str]]:
  """Names of one kind together: {'probe': ['probe/1nn_w', ...], ...}."""
  groups: dict[str, list[str]] = {}
  for name in names:
    kinds = (kind for kind, head in _TOGETHER.items() if name.startswith(head))
    groups.setdefault(next(kinds, name), []).append(name)
  return groups


class Thinned(NamedTuple):
  """A curve with few points.

  Attributes:
    images_seen: [N].
    means: [N], of the values around each.
    lowest: [N], of the same values.
    highest: [N].
  """

  images_seen: np.ndarray
  means: np.ndarray
  lowest: np.ndarray
  highest: np.ndarray


def thin(series: Series, most: int) -> Thinned:
  """Averages neighbours where there are more points than `most`."""
  x, y = series.images_seen, series.values
  if len(x) <= most:
    return Thinned(x, y, y, y)
  edges = np.linspace(x[0], x[-1], most, endpoint=False)
  starts = np.unique(np.searchsorted(x, edges))
  counts = np.diff(starts, append=len(x))

  def mean(values: np.ndarray) -> np.ndarray:
    # Divided first: a sum of large numbers may be infinite.
    return np.add.reduceat(values / np.repeat(counts, counts), starts)

  return Thinned(
    mean(x),
    mean(y),
    np.minimum.reduceat(y, starts),
    np.maximum.reduceat(y, starts),
  )


def usual_range(values: np.ndarray) -> tuple[float, float]:
  """Where nearly all values are, if the others are far away; or all are.

  One number out of hundreds (after the first steps, or when a level begins) may
  be so large that the rest would look like a flat line.
  """
  least, low, high, most = (
    float(value) for value in np.percentile(values, [0, 1, 99, 100])
  )
  room = high / 2 - low / 2  # twice of which may be more than a float holds
  if room == 0:
    return least, most
  return (
    low - room if least < low - _FAR_OFF * room else least,
    high + room if most > high + _FAR_OFF * room else most,
  )
