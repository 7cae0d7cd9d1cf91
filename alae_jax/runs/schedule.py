"""The schedule of a run: a pure function of the images seen.

A run is a sequence of segments, one per level of resolution. MLP-ALAE, and a
StyleALAE that does not grow, is a single segment.
"""

import dataclasses
import math

import ml_collections


@dataclasses.dataclass(frozen=True)
class Segment:
  """What holds while one level is trained.

  Attributes:
    level: index of the resolution.
    start: images seen when the segment begins, a whole number of steps.
    end: images seen when it is over, likewise.
    batch_size: images per step, over all devices.
    learning_rate: of all four networks.
    fade_images: over how many images the level fades in; 0 for not at all.
  """

  level: int
  start: int
  end: int
  batch_size: int
  learning_rate: float
  fade_images: float = 0.0

  def blend(self, images_seen: int) -> float:
    """How far the level has faded in, (1 - cos(pi t)) / 2, in [0, 1]."""
    if not self.fade_images:
      return 1.0
    t = min((images_seen - self.start) / self.fade_images, 1.0)
    return (1 - math.cos(math.pi * t)) / 2


def build_schedule(config: ml_collections.ConfigDict) -> tuple[Segment, ...]:
  """The segments of a validated config, in order, without gaps.

  A level lasts `growth.images_per_level` images, rounded up to whole steps,
  and the last one until `train.images`. A run too short for every level ends
  at a lower one.
  """
  growth, train = config.growth, config.train
  last = config.model.levels - 1
  if not growth.images_per_level:
    batch_size = _of_level(growth.batch_sizes, last) or train.batch_size
    end = _whole_steps(train.images, batch_size)
    return (Segment(last, 0, end, batch_size, _learning_rate(config, last)),)
  segments: list[Segment] = []
  start = 0
  for level in range(last + 1):
    batch_size = _of_level(growth.batch_sizes, level) or (
      train.batch_size * max(1, 16 >> level)
    )
    until = (
      train.images
      if level == last
      else min(train.images, (level + 1) * growth.images_per_level)
    )
    end = start + _whole_steps(until - start, batch_size)
    if end > start:
      segments.append(
        Segment(
          level,
          start,
          end,
          batch_size,
          _learning_rate(config, level),
          fade_images=growth.images_per_level / 2 if level else 0.0,
        )
      )
    start = end
  return tuple(segments)


def segment_at(schedule: tuple[Segment, ...], images_seen: int) -> Segment:
  """The segment in which the step after `images_seen` images falls."""
  for segment in schedule:
    if images_seen < segment.end:
      return segment
  return schedule[-1]


def steps_at(schedule: tuple[Segment, ...], images_seen: int) -> int:
  """How many steps have been taken when so many images have been seen."""
  return sum(
    (min(max(images_seen, segment.start), segment.end) - segment.start)
    // segment.batch_size
    for segment in schedule
  )


def _whole_steps(images: int, batch_size: int) -> int:
  return max(0, math.ceil(images / batch_size) * batch_size)


def _of_level(table, level: int):
  """A table shorter than the levels goes on with its last entry."""
  return table[min(level, len(table) - 1)] if table else None


def _learning_rate(config: ml_collections.ConfigDict, level: int) -> float:
  """From the table, or 0.0015 up to 128x128, 0.002 at 256x256, 0.003 above.

  These are the FFHQ recipe's rates, those of Karras et al. 2019, in the ratio
  that train.learning_rate has to the first.
  """
  factor = {6: 4 / 3}.get(level, 1.0 if level < 6 else 2.0)
  return (
    _of_level(config.growth.learning_rates, level)
    or config.train.learning_rate * factor
  )
