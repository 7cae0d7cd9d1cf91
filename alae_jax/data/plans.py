"""What `alae prepare` is going to make, once its arguments are right."""

import dataclasses
import re
from collections.abc import Callable

import numpy as np
from etils import epath

from alae_jax.config import UNNAMED
from alae_jax.data import builders, datasets
from alae_jax.data.sources import folders
from alae_jax.errors import UserError

Reader = Callable[[str, int], np.ndarray]
_NAME = re.compile('[a-z][a-z0-9_]{0,63}')


@dataclasses.dataclass(frozen=True)
class Plan:
  """What to make.

  Attributes:
    name: the dataset's name.
    resolutions: the resolutions, the full one first.
    fingerprint: a hash of what it is made from; None: known after download.
    make: (resolution, data_dir, reader of the full one or None) -> builder.
  """

  name: str
  resolutions: tuple[int, ...]
  fingerprint: str | None
  make: Callable[[int, epath.Path, Reader | None], builders.ResolutionBuilder]


def make_plan(
  name: str,
  source: epath.PathLike | None,
  resolution: int | None,
  test_images: float | None,
  channels: int | None,
) -> Plan:
  """Checks the arguments of prepare.prepare, and the source's folder.

  Raises:
    UserError: something is not right.
  """
  _check_arguments(name, resolution, test_images, channels)
  if name in builders.BY_NAME:
    return _plan_mnist(name, source, resolution, test_images, channels)
  return _plan_folder(name, source, resolution, test_images, channels or 3)


def _check_arguments(
  name: str,
  resolution: int | None,
  test_images: float | None,
  channels: int | None,
) -> None:
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
  if channels not in (None, 1, 3):
    raise UserError(f'channels {channels}: use 1 (grey) or 3 (RGB)')
  if test_images is not None and not (
    0 < test_images < 1 or (test_images >= 0 and test_images % 1 == 0)
  ):
    raise UserError(
      f'test_images {test_images}: use a count, or a part between 0 and 1'
    )
  if resolution not in (None, 28, *builders.RESOLUTIONS):
    choice = ', '.join(map(str, builders.RESOLUTIONS))
    raise UserError(f'resolution {resolution}: use one of {choice}')


def _plan_mnist(
  name: str,
  source: epath.PathLike | None,
  resolution: int | None,
  test_images: float | None,
  channels: int | None,
) -> Plan:
  full = resolution or 28
  if full not in (28, 32):
    raise UserError(f'resolution {full}: {name} is 28, or 32 with padding')
  if test_images is not None or channels not in (None, 1):
    raise UserError(
      f'{name} is grey and has its own test images; leave out '
      'test_images and channels'
    )
  builder = builders.BY_NAME[name]

  def make(resolution: int, data_dir: epath.Path, reader: Reader | None):
    del reader  # its arrays are quick to read again
    return builder(resolution, data_dir, source)

  fingerprint = builder(full, '.', source).fingerprint() if source else None
  return Plan(name, builders.pyramid(full), fingerprint, make)


def _plan_folder(
  name: str,
  source: epath.PathLike | None,
  resolution: int | None,
  test_images: float | None,
  channels: int,
) -> Plan:
  if source is None:
    raise UserError(
      f"source is missing: dataset '{name}' needs a folder of images (without, "
      f'only {" and ".join(builders.BY_NAME)} can be made)'
    )
  files = folders.find_images(source)
  if resolution == 28:
    raise UserError('resolution 28: use a power of two')
  full = resolution or folders.largest_resolution(
    files, max(builders.RESOLUTIONS)
  )
  splits = folders.split_files(source, files, test_images)
  counts = {split: len(chosen) for split, chosen in splits.items()}
  fingerprint = folders.fingerprint(source, files, full, channels, counts)

  def make(resolution: int, data_dir: epath.Path, reader: Reader | None):
    return builders.ImageFolder(
      name, resolution, data_dir, files=splits, full=full, channels=channels,
      fingerprint=fingerprint, reader=reader,
    )  # fmt: skip

  return Plan(name, builders.pyramid(full), fingerprint, make)
