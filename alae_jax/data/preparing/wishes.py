"""What a user asks for when preparing a dataset, and what can't be asked."""

import dataclasses
import re

from alae_jax.config import UNNAMED
from alae_jax.data import datasets, images
from alae_jax.data.preparing import catalogue, levels
from alae_jax.data.preparing.catalogue import Known
from alae_jax.data.sources import finding
from alae_jax.errors import UserError

_NAME = re.compile('[a-z][a-z0-9_]{0,63}')
_BAD_FILES = ('fail', 'skip')


@dataclasses.dataclass(frozen=True)
class Wishes:
  """The arguments of prepare.prepare that say what is made, and how."""

  resolution: int | None = None
  test_images: float | None = None
  channels: int | None = None
  format: str | None = None
  labels: str | None = None
  fit: str = 'crop'
  max_images: int | None = None
  bad_files: str = 'fail'
  enlarge: bool = False
  depth_range: tuple[int, int] | None = None


def check(name: str, wishes: Wishes) -> None:
  """Refuses what no source could be used for.

  Raises:
    UserError: an argument is not right.
  """
  _check_name(name)
  if wishes.channels not in (None, 1, 3):
    raise UserError(f'channels {wishes.channels}: use 1 (grey) or 3 (RGB)')
  test_images = wishes.test_images
  if test_images is not None and not (
    0 < test_images < 1 or (test_images >= 0 and test_images % 1 == 0)
  ):
    raise UserError(
      f'test_images {test_images}: use a count, or a part between 0 and 1'
    )
  if wishes.max_images is not None and wishes.max_images < 1:
    raise UserError(f'max_images {wishes.max_images}: use 1 or more')
  _check_choice('format', wishes.format, tuple(finding.FORMS))
  _check_choice('fit', wishes.fit, images.FITS)
  _check_choice('bad_files', wishes.bad_files, _BAD_FILES)
  if wishes.depth_range is not None:
    low, high = wishes.depth_range
    if not 0 <= low < high <= 65535:
      raise UserError(
        f'depth_range {low},{high}: use two values of 0 to 65535, the smaller '
        'first'
      )
  known = catalogue.DATASETS.get(name)
  if known:
    _check_known(name, known, wishes)
  elif wishes.resolution not in (None, *levels.RESOLUTIONS):
    choice = ', '.join(map(str, levels.RESOLUTIONS))
    raise UserError(f'resolution {wishes.resolution}: use one of {choice}')


def _check_name(name: str) -> None:
  if name == datasets.DIGITS:
    raise UserError("dataset 'digits' is built in; it needs no preparing")
  if name == UNNAMED:
    raise UserError(
      f'NAME {name!r} is what an imported run calls a dataset that it does not '
      'know: choose another'
    )
  if not _NAME.fullmatch(name):
    raise UserError(
      f'NAME {name!r}: use small letters, digits and underscores, '
      'starting with a letter, 64 at most'
    )


def _check_choice(
  field: str, value: str | None, choice: tuple[str, ...]
) -> None:
  if value is not None and value not in choice:
    raise UserError(f'{field} {value!r}: use one of {", ".join(choice)}')


def _check_known(name: str, known: Known, wishes: Wishes) -> None:
  if wishes.resolution not in (None, *known.resolutions):
    choice = ', '.join(map(str, known.resolutions))
    if known.native:
      choice = f'{known.native}, or {known.resolutions[-1]} with padding'
    raise UserError(
      f'resolution {wishes.resolution}: {known.title} is made at {choice}'
    )
  if known.native and (
    wishes.test_images is not None or wishes.channels not in (None, 1)
  ):
    raise UserError(
      f'{name} is grey and has its own test images; leave out '
      'test_images and channels'
    )
  if known.window and wishes.fit != 'crop':
    raise UserError(f'fit {wishes.fit}: {name} has a window of its own')
