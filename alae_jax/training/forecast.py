"""What training a level on some devices would take, found by compiling it."""

import dataclasses
import time
from collections.abc import Sequence

import jax
import ml_collections
import numpy as np
from jax.sharding import AxisType, Mesh

from alae_jax.models.networks import build_networks
from alae_jax.runs.schedule import Segment, build_schedule
from alae_jax.training import chips, traffic
from alae_jax.training.compile import TooLarge, compile_lowered, lower_step
from alae_jax.training.cost import Cost, Estimate, cost_of, estimate

_GIB = 2.0**30


@dataclasses.dataclass(frozen=True)
class Forecast:
  """Of a level.

  Attributes:
    level: index of its resolution.
    side: of its images, in pixels.
    batch_size: of all devices together.
    images: that the level is trained for.
    compile_seconds: on this machine, as busy as it is.
    cost: on each device; None of a step that the compiler refused.
    fits: whether a device has the memory.
    needed: bytes that it takes; 0 if that is not known.
    memory: bytes that a device has for it, likewise.
    estimate: None where the device's peaks are not known.
    moved: the operations that move the most bytes.
  """

  level: int
  side: int
  batch_size: int
  images: int
  compile_seconds: float = 0.0
  cost: Cost | None = None
  fits: bool = True
  needed: float = 0.0
  memory: float = 0.0
  estimate: Estimate | None = None
  moved: tuple[traffic.Moved, ...] = ()

  def describe_fit(self) -> str:
    """Such as 'takes 17.20 of 15.75 GiB, 1.45 too many'."""
    if not self.needed:
      return 'fits' if self.fits else 'does not fit'
    needed, memory = self.needed / _GIB, self.memory / _GIB
    if not memory:
      return f'takes {needed:.2f} GiB'
    over = '' if self.fits else f', {needed - memory:.2f} too many'
    return f'takes {needed:.2f} of {memory:.2f} GiB{over}'


def choose_levels(
  config: ml_collections.ConfigDict, levels: Sequence[int] | None
) -> list[Segment]:
  """The segments of a schedule that train these levels; all for None.

  Raises:
    ValueError: a level that the config does not train.
  """
  schedule = build_schedule(config)
  trained = [segment.level for segment in schedule]
  for level in levels or ():
    if level not in trained:
      raise ValueError(f'{level}: the config trains {trained}')
  return [s for s in schedule if levels is None or s.level in levels]


def memory_of(device: jax.Device) -> float | None:
  """Bytes that programs may have of a GPU that is here.

  None for others: TPUs' compiler refuses what is too large itself, and of CPUs
  it is not known.
  """
  stats = device.memory_stats() if device.platform == 'gpu' else None
  return stats['bytes_limit'] if stats else None


def forecast(
  config: ml_collections.ConfigDict,
  segment: Segment,
  devices: Sequence[jax.Device],
  operations: int = 0,
  memory: float | None = None,
) -> Forecast:
  """Compiles the step of a segment and says what it costs.

  Args:
    config: resolved for as many devices.
    segment: of its schedule.
    devices: of one kind, here or not.
    operations: how many kinds of them to list.
    memory: bytes of a device; None if its compiler refuses what is too large.
  """
  networks = build_networks(config)
  mesh = Mesh(np.array(devices), ('data',), axis_types=(AxisType.Auto,))
  began = time.monotonic()
  level = Forecast(
    level=segment.level,
    side=networks.resolutions[segment.level],
    batch_size=segment.batch_size,
    images=segment.end - segment.start,
  )
  try:
    executable = compile_lowered(lower_step(config, networks, segment, mesh))
  except TooLarge as error:
    return dataclasses.replace(
      level,
      compile_seconds=time.monotonic() - began,
      fits=False,
      needed=error.needed,
      memory=error.memory,
    )
  seconds = time.monotonic() - began
  cost = cost_of(executable, config.train.microbatches)
  chip = chips.find(devices[0].device_kind)
  program = executable.as_text() or ''
  return dataclasses.replace(
    level,
    compile_seconds=seconds,
    cost=cost,
    fits=memory is None or cost.memory <= memory,
    needed=cost.memory,
    memory=memory or 0.0,
    estimate=estimate(cost, chip, segment.batch_size) if chip else None,
    moved=tuple(traffic.largest(program, operations)) if operations else (),
  )
