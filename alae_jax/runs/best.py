"""Which of a run's checkpoints is best, by a number in its records."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

# All other numbers are better when they are smaller.
_LARGEST_IS_BEST = (
  '/precision',
  '/recall',
  '/psnr',
  '/ssim',
  '/1nn_',
  '/svm_',
)

# The field that marks a run's own records, beside those of later evaluations.
WHILE_TRAINING = 'while_training'

# Of which numbers compare.
_FACTS = (
  'metric',
  'weights',
  'protocol',
  'features',
  'features_identity',
  'images',
  'real_images',
  'split',
  'seed',
  'resolution',  # images of a level that is young are easy to make
)


@dataclasses.dataclass(frozen=True)
class Best:
  """A number and the checkpoint that it was computed of."""

  value: float
  images_seen: int


def largest_is_best(number: str) -> bool:
  """Whether a number, such as 'rec/psnr', is better when it is larger."""
  return any(part in number for part in _LARGEST_IS_BEST)


def better(number: str, one: Best, other: Best | None) -> bool:
  """Whether one checkpoint is better than another; the first of equals is."""
  if other is None:
    return True
  if largest_is_best(number):
    return one.value > other.value
  return one.value < other.value


def find(
  records: Sequence[dict[str, Any]], number: str, there: Collection[int]
) -> Best | None:
  """The best of a run's checkpoints.

  Only what was computed while it trained counts, and of that only what was
  computed as the newest was: at the same resolution, with as many images, ...

  Args:
    records: of the run, in order.
    number: such as 'fid5k'.
    there: the images seen of the checkpoints that are there.

  Returns:
    None where no record has the number.
  """
  with_it = [
    record
    for record in records
    if record.get(WHILE_TRAINING) and isinstance(record.get(number), float)
  ]
  best: Best | None = None
  for record in with_it:
    if record['images_seen'] in there and all(
      record.get(fact) == with_it[-1].get(fact) for fact in _FACTS
    ):
      one = Best(record[number], record['images_seen'])
      if better(number, one, best):
        best = one
  return best
