"""Which images of a source are for training and which for testing."""

import hashlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from alae_jax.data.sources import base
from alae_jax.errors import UserError

Splits = Mapping[str, np.ndarray]

# What TFDS, the hubs and LSUN call images that are for testing.
_FOR_TESTING = ('test', 'validation', 'valid', 'val')


def by_hash(names: Sequence[str], test_images: float | None) -> Splits:
  """Sets test images apart, chosen by a hash of their names.

  The choice is the same on every machine; the order within a split is kept.

  Args:
    names: of the images.
    test_images: how many (1 or more, or 0), or which part of all (between 0
      and 1); None: a tenth, at most 10,000.

  Returns:
    The indices of each split.

  Raises:
    UserError: no image would be left to train on.
  """
  count = _test_count(len(names), test_images)
  hashes = np.array([_hash(name) for name in names], 'S32')
  # An S array drops zero bytes at the end, which the order survives.
  is_test = np.zeros(len(names), bool)
  is_test[np.argsort(hashes, kind='stable')[:count]] = True
  return {'train': np.flatnonzero(~is_test), 'test': np.flatnonzero(is_test)}


def from_number(first_test: int, names: Sequence[str]) -> Splits:
  """Images numbered `first_test` and above are for testing.

  An image's number is the last one in its name, such as 69999 of
  69000/69999.png; where names have none, or some have the same, it is its place
  in the source. Both splits are in the order of the numbers.
  """
  numbers = _numbers(names)
  order = np.argsort(numbers, kind='stable')
  is_train = numbers[order] < first_test
  return {'train': order[is_train], 'test': order[~is_train]}


def own(source: base.Source) -> Splits | None:
  """The source's own splits; None: it comes in one."""
  if not source.splits or 'train' not in source.splits:
    return None
  found = {'train': source.splits['train']}
  for name in _FOR_TESTING:
    if name in source.splits:
      return found | {'test': source.splits[name]}
  return found


def _numbers(names: Sequence[str]) -> np.ndarray:
  stems = (name.rpartition('.')[0] or name for name in names)
  found = [re.findall(r'\d+', stem) for stem in stems]
  numbers = [int(f[-1]) if f and len(f[-1]) < 18 else -1 for f in found]
  if -1 in numbers or len(set(numbers)) < len(numbers):
    return np.arange(len(names))
  return np.array(numbers)


def _test_count(total: int, test_images: float | None) -> int:
  """Returns how many of the images are for testing."""
  if test_images is None:
    return min(total // 10, 10_000)
  count = round(test_images * total if 0 < test_images < 1 else test_images)
  if not 0 <= count < total:
    raise UserError(
      f'test_images {test_images} of {total} images leaves none to train '
      'on; give a smaller count, or a part between 0 and 1'
    )
  return count


def _hash(name: str) -> bytes:
  return hashlib.sha256(name.encode(errors='surrogateescape')).digest()
