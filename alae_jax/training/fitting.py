"""Which settings make the steps of a config fit the memory of a device.

They are tried in an order from the cheapest to the dearest, each on top of
those before it, so that memory only falls along it. A try is a compilation of
minutes: the first one is where an estimate says, and the others halve what is
left.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import ml_collections

from alae_jax import config as config_lib
from alae_jax import sharding
from alae_jax.errors import Failure, UserError
from alae_jax.models.networks import build_networks
from alae_jax.runs.schedule import Segment
from alae_jax.training.forecast import Forecast, forecast


@dataclasses.dataclass(frozen=True)
class Setting:
  """Values that save memory.

  Attributes:
    values: by field of the config; none for the config as it is.
    share: of what a step keeps meanwhile, so much is left by an estimate.
  """

  values: dict[str, Any]
  share: float = 1.0

  def apply(
    self, config: ml_collections.ConfigDict
  ) -> ml_collections.ConfigDict:
    """The config with these values."""
    config = config.copy_and_resolve_references()
    for field, value in self.values.items():
      section, name = field.split('.')
      config[section][name] = value
    return config

  def __str__(self) -> str:
    return ', '.join(f'{k}={v}' for k, v in self.values.items()) or 'as it is'


# A value, and the share of what is kept meanwhile that it leaves.
_Values = Iterable[tuple[Any, float]]


# Smaller maps than these are no matter for memory.
_SMALLEST_SIDE = 16
# What is left of the maps' memory where those of one more side are made anew;
# a guess, for where to begin.
_LEFT = 0.7


def _sides(
  config: ml_collections.ConfigDict, segment: Segment, devices: int
) -> _Values:
  """From the largest maps down to smaller and smaller ones."""
  if config.model.levels == 1:
    return
  before = config.train.remat_resolution
  side, share = 4 << segment.level, 1.0
  while side >= _SMALLEST_SIDE:
    if not before or side < before:
      share *= _LEFT
      yield side, share
    side //= 2


def _parts(
  config: ml_collections.ConfigDict, segment: Segment, devices: int
) -> _Values:
  """More and more parts of a batch, down to an image a device.

  Below that a smaller batch would save nothing more.
  """
  before = config.train.microbatches
  for parts in range(before + 1, segment.batch_size // devices + 1):
    yield parts, before / parts


def _shards(
  config: ml_collections.ConfigDict, segment: Segment, devices: int
) -> _Values:
  """More and more of the state divided; it saves nothing of the rest."""
  names = list(sharding.SPREAD)
  for name in names[names.index(config.train.shard) + 1 :]:
    if devices > 1:
      yield name, 1.0


# The cheapest first.
_LEVERS: dict[str, Callable[..., _Values]] = {
  'train.shard': _shards,
  'train.remat_resolution': _sides,
  'train.microbatches': _parts,
}


def settings(
  config: ml_collections.ConfigDict, segment: Segment, devices: int
) -> list[Setting]:
  """The config as it is, and then what saves memory, the cheapest first.

  Args:
    config: resolved and valid.
    segment: of its schedule; it tells which values make a difference.
    devices: how many there are.
  """
  found = [Setting({})]
  for field, values in _LEVERS.items():
    before = found[-1]
    for value, share in values(config, segment, devices):
      setting = Setting({**before.values, field: value}, before.share * share)
      if _is_allowed(setting.apply(config), devices):
        found.append(setting)
  return found


def _is_allowed(config: ml_collections.ConfigDict, devices: int) -> bool:
  try:
    config_lib.validate(config, devices)
  except UserError:
    return False
  return True


def first_that_fits(
  fits: Callable[[int], bool], count: int, first: int = 0
) -> int | None:
  """The first of `count` things that fits, where all after one that fits do.

  Args:
    fits: tells it of a thing; slow.
    count: how many there are.
    first: which to try first.

  Returns:
    Its index, or None where not even the last one fits.
  """
  low, high = 0, count  # not before low; high fits, or is beyond the last
  place = first
  while low < high:
    if fits(place):
      high = place
    else:
      low = place + 1
    place = (low + high) // 2
  return high if high < count else None


def fit(
  config: ml_collections.ConfigDict,
  segments: Sequence[Segment],
  devices: Sequence[jax.Device],
  memory: float | None,
  tell: Callable[[str], None],
) -> tuple[Setting, list[Forecast]]:
  """The cheapest setting with which every level fits.

  Args:
    config: resolved for as many devices.
    segments: of its schedule.
    devices: of one kind, here or not.
    memory: bytes of a device; None if its compiler refuses what is too large.
    tell: is told of every try, in a line.

  Returns:
    The setting, and the forecasts of all levels with it or a cheaper one.

  Raises:
    Failure: a level fits with none.
  """
  choices = settings(config, segments[-1], len(devices))
  chosen, found = 0, []
  # From the last level, which needs most, so that the others are tried once.
  for segment in reversed(segments):
    search = _Search(config, segment, devices, memory, tell, choices[chosen:])
    place = search.run()
    if place is None:
      side = build_networks(config).resolutions[segment.level]
      raise Failure(
        f'{side}x{side} fits with nothing that was tried, not even with '
        f'{choices[-1]}: it takes more or larger devices, or a smaller model'
      )
    chosen += place
    found.append(search.tried[place])
  return choices[chosen], found[::-1]


class _Search:
  """Of the first setting with which a level fits."""

  def __init__(
    self,
    config: ml_collections.ConfigDict,
    segment: Segment,
    devices: Sequence[jax.Device],
    memory: float | None,
    tell: Callable[[str], None],
    choices: Sequence[Setting],
  ):
    self._config, self._segment, self._devices = config, segment, devices
    self._memory, self._tell, self._choices = memory, tell, choices
    self.tried: dict[int, Forecast] = {}

  def run(self) -> int | None:
    """Its index, or None."""
    if self._fits(0):
      return 0
    rest = self._choices[1:]
    if not rest:
      return None
    guess = self._guess(rest)
    place = first_that_fits(lambda i: self._fits(i + 1), len(rest), guess)
    return None if place is None else place + 1

  def _fits(self, place: int) -> bool:
    setting = self._choices[place]
    level = forecast(
      setting.apply(self._config),
      self._segment,
      self._devices,
      memory=self._memory,
    )
    self.tried[place] = level
    self._tell(f'{level.side}x{level.side}, {setting}: {level.describe_fit()}')
    return level.fits

  def _guess(self, rest: Sequence[Setting]) -> int:
    """The first that an estimate lets fit; the middle where there is none."""
    level = self.tried[0]
    if not level.needed:
      return len(rest) // 2
    kept = level.cost.arguments if level.cost else 0
    share = (level.memory - kept) / (level.needed - kept)
    share *= self._choices[0].share
    return next(
      (i for i, setting in enumerate(rest) if setting.share <= share),
      len(rest) - 1,
    )


def advise(
  config: ml_collections.ConfigDict, segment: Segment, devices: int
) -> dict[str, Any]:
  """The values to try first of a level that does not fit, if there are any."""
  _, *rest = settings(config, segment, devices)
  return rest[0].values if rest else {}
