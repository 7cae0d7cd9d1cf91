"""What can be trained but is hardly meant."""

from collections.abc import Iterator, Sequence

import ml_collections

from alae_jax.runs.schedule import Segment
from alae_jax.training.reals import Reals

_EVENTS = ('metrics_images', 'pictures_images', 'checkpoint_images')


def advise(
  config: ml_collections.ConfigDict,
  resolutions: Sequence[int],
  schedule: Sequence[Segment],
  reals: Reals | None,
) -> list[str]:
  """Warnings, a line each.

  Args:
    config: validated.
    resolutions: of the model's levels.
    schedule: of the config.
    reals: the dataset at any of them; None where it is not there.
  """
  return [
    *_on_growth(config, resolutions, schedule),
    *_on_looking(config, schedule),
    *(_on_data(schedule, reals) if reals else ()),
  ]


def _on_growth(
  config: ml_collections.ConfigDict,
  resolutions: Sequence[int],
  schedule: Sequence[Segment],
) -> Iterator[str]:
  lasts = config.growth.images_per_level
  end, top = resolutions[schedule[-1].level], resolutions[-1]
  if end < top:
    yield (
      f'training ends at {end}x{end} of {top}x{top}: growth.images_per_level '
      f'is {lasts:,} and train.images {config.train.images:,}'
    )
  if not lasts:
    return
  largest = max(segment.batch_size for segment in schedule)
  if lasts < largest:
    yield (
      f'growth.images_per_level is {lasts:,}, less than a step of {largest:,} '
      'images: levels are skipped or trained for one step'
    )
  elif any(0 < s.fade_images < s.batch_size for s in schedule):
    yield (
      f'growth.images_per_level is {lasts:,}: a level fades in over half of '
      'that, which is less than a step'
    )


def _on_looking(
  config: ml_collections.ConfigDict, schedule: Sequence[Segment]
) -> Iterator[str]:
  images = schedule[-1].end
  never = [f'log.{name}' for name in _EVENTS if config.log[name] > images]
  if never:
    yield (
      f'{", ".join(never)}: more than the {images:,} images of the run, so '
      'only where a level ends'
    )


def _on_data(schedule: Sequence[Segment], reals: Reals) -> Iterator[str]:
  train = reals.train
  largest = max(segment.batch_size for segment in schedule)
  if largest > len(train):
    yield (
      f'a step takes {largest:,} images and dataset {train.name!r} has '
      f'{len(train):,} to train on: it sees some more than once'
    )
  if reals.test is None:
    yield (
      f'dataset {train.name!r} has no test images: pictures show training '
      'images'
    )
