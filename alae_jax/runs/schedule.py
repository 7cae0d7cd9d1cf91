"""The schedule of a run: a pure function of the images seen.

A run is a sequence of segments, one per level of resolution, or more where its
config was changed. MLP-ALAE, and a StyleALAE that does not grow, is a single
segment.
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
    began: images seen when the level began: before `start`, where the config
      was changed in between.
    ema_rampup: the EMA's half-life is at most this share of the images that
      the level has seen; 0 for no bound.
  """

  level: int
  start: int
  end: int
  batch_size: int
  learning_rate: float
  fade_images: float = 0.0
  began: int = 0
  ema_rampup: float = 0.0

  def blend(self, images_seen: int) -> float:
    """How far the level has faded in, (1 - cos(pi t)) / 2, in [0, 1]."""
    if not self.fade_images:
      return 1.0
    t = min((images_seen - self.began) / self.fade_images, 1.0)
    return (1 - math.cos(math.pi * t)) / 2

  def passes(self, every: int, images_seen: int) -> bool:
    """Whether the step that has just been taken is one to look at.

    Args:
      every: so many images; the segment's last step is always one.
      images_seen: after the step.
    """
    before = images_seen - self.batch_size
    return before // every != images_seen // every or images_seen == self.end


def build_schedule(config: ml_collections.ConfigDict) -> tuple[Segment, ...]:
  """The segments of a validated config, in order, without gaps.

  A level lasts `growth.images_per_level` images, rounded up to whole steps,
  and the last one until `train.images`. A run too short for every level ends
  at a lower one. Where `--change` changed a config a segment ends and the level
  goes on in another one.
  """
  segments: list[Segment] = []
  images = 0
  for level in _levels(config):
    began, fade_images = images, _fade_images(config_at(config, images), level)
    while images < _end_of_level(config_at(config, images), level):
      segment = _next_segment(config, level, images)
      segments.append(
        dataclasses.replace(segment, began=began, fade_images=fade_images)
      )
      images = segment.end
  return tuple(segments)


def config_at(
  config: ml_collections.ConfigDict, images_seen: int
) -> ml_collections.ConfigDict:
  """The config as it was when the step after `images_seen` images was taken."""
  later = [
    change
    for change in config.history.changes
    if change['images_seen'] > images_seen
  ]
  if not later:
    return config
  config = config.copy_and_resolve_references()
  for change in reversed(later):
    section, field = change['field'].split('.')
    config[section][field] = change['was']
  return config


def _levels(config: ml_collections.ConfigDict) -> range:
  last = config.model.levels - 1
  first = config.growth.first_level if config.growth.images_per_level else last
  return range(first, last + 1)


def _end_of_level(config: ml_collections.ConfigDict, level: int) -> int:
  """Images after which the next level begins, or the run is over."""
  if level == config.model.levels - 1:
    return config.train.images
  levels = level - config.growth.first_level + 1
  return min(config.train.images, levels * config.growth.images_per_level)


def _fade_images(config: ml_collections.ConfigDict, level: int) -> float:
  growth = config.growth
  return growth.images_per_level / 2 if level > growth.first_level else 0.0


def _next_segment(
  config: ml_collections.ConfigDict, level: int, start: int
) -> Segment:
  """From `start` to the end of the level or to the next change."""
  now = config_at(config, start)
  batch_size = batch_size_of(now, level)
  steps = math.ceil((_end_of_level(now, level) - start) / batch_size)
  end = start + steps * batch_size
  for change in config.history.changes:
    if start < change['images_seen'] < end:
      end = change['images_seen']
      break
  starts_from_another = start == 0 and now.train.init_from
  return Segment(
    level,
    start,
    end,
    batch_size,
    _learning_rate(now, level),
    ema_rampup=0.0 if starts_from_another else now.train.ema_rampup,
  )


def batch_size_of(config: ml_collections.ConfigDict, level: int) -> int:
  """From the table, or train.batch_size, up to 16-fold below 64x64."""
  growth = config.growth
  times = max(1, 16 >> level) if growth.images_per_level else 1
  return _of_level(growth.batch_sizes, level) or config.train.batch_size * times


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
