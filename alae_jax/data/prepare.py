"""Makes TFDS datasets, one per resolution.

They are made in data_dir/NAME.unfinished, or in this machine's cache where
data_dir is remote, and moved into place when all of them are whole. A run that
was interrupted takes up the resolutions it had finished, if they were made of
the same images in the same way.
"""

import contextlib
import io
import os
import pathlib

import numpy as np
import requests
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.download import download_manager, util

from alae_jax import storage
from alae_jax.data import builders, datasets, remote
from alae_jax.data.plans import Plan, Reader, make_plan
from alae_jax.data.sources import folders
from alae_jax.errors import OUT_OF_SPACE, UserError, reason


def prepare(
  name: str,
  source: epath.PathLike | None = None,
  data_dir: epath.PathLike = 'data',
  resolution: int | None = None,
  test_images: float | None = None,
  channels: int | None = None,
  overwrite: bool = False,
) -> list[epath.Path]:
  """Makes a dataset at its full resolution and all the powers of two below.

  Args:
    name: 'mnist', 'fashion_mnist', or a name of your choice for a folder.
    source: MNIST's four IDX files' folder (None: download them), or a
      folder of images, searched recursively.
    data_dir: where datasets are kept; local or remote (gs://…).
    resolution: the full one. MNIST: 28 (the default, alone) or 32 (padded).
      A folder: a power of two; by default the largest that no image is
      smaller than, at most 1024.
    test_images: a folder's count of test images, or their part of all
      between 0 and 1; by default a tenth, at most 10,000.
    channels: a folder's 3 (RGB, the default) or 1 (grey).
    overwrite: replace resolutions that are there already.

  Returns:
    The folders of the resolutions, the full one first.

  Raises:
    UserError: the arguments or the files are not right, or other data is
      there under that name.
  """
  source = source if source is None else storage.locate(source)
  target = storage.locate(data_dir)
  if target.exists() and not target.is_dir():
    raise UserError(f'data_dir {data_dir} is a file: name a folder')
  plan = make_plan(name, source, resolution, test_images, channels)
  if source is not None:
    _refuse_to_remove(source, plan, target, overwrite)
  return _carry_out(plan, target, overwrite)


def _refuse_to_remove(
  source: epath.Path, plan: Plan, data_dir: epath.Path, overwrite: bool
) -> None:
  """Raises UserError if images are where a dataset is made or replaced."""
  removed = [_staging(plan, data_dir)]
  if overwrite:
    there = datasets.available(plan.name, data_dir).values()
    removed += [path.parent for path in there]
  given = pathlib.Path(os.path.realpath(source))
  for folder in removed:
    made = pathlib.Path(os.path.realpath(folder))
    if given.is_relative_to(made) or (
      made.is_relative_to(given) and folders.list_images(folder)
    ):
      raise UserError(
        f'source {source}: images in {folder} would be removed, where the '
        'dataset is made: move them elsewhere'
      )


def _staging(plan: Plan, data_dir: epath.Path) -> epath.Path:
  """Where resolutions are made, before all of them are whole."""
  return remote.workplace(data_dir) / f'{plan.name}.unfinished'


def _carry_out(
  plan: Plan, data_dir: epath.Path, overwrite: bool
) -> list[epath.Path]:
  """Makes the resolutions that are missing, then moves them into place."""
  workplace = remote.workplace(data_dir)
  staging = _staging(plan, data_dir)
  new = not workplace.exists()
  there = {} if overwrite else datasets.available(plan.name, data_dir)
  _refuse_other_data(plan.name, plan.fingerprint, there)
  missing = [
    resolution for resolution in plan.resolutions if resolution not in there
  ]
  _clear(plan, staging)
  try:
    for resolution in missing:
      _make_resolution(plan, resolution, staging, workplace, there)
  except UserError:
    _leave_nothing_empty(plan, staging, new)
    raise
  except OSError as error:
    _clear(plan, staging)
    _leave_nothing_empty(plan, staging, new)
    why = error.strerror or reason(error)
    raise OSError(
      error.errno,
      f'{why}; what was there before is whole, and the same command goes on',
      error.filename or os.fspath(data_dir),
    ) from error
  if missing:
    staged = datasets.available(plan.name, staging)
    made_from = _fingerprint(staged[missing[0]])  # known now, if downloaded
    _refuse_other_data(plan.name, made_from, there)
    _move(plan, staging, data_dir, missing)
  made = datasets.available(plan.name, data_dir)
  return [made[resolution] for resolution in plan.resolutions]


def _refuse_other_data(
  name: str, fingerprint: str | None, there: dict[int, epath.Path]
) -> None:
  """Raises UserError if what is there was made of something else."""
  for resolution, path in there.items():
    if fingerprint not in (None, _fingerprint(path)):
      raise UserError(
        f"dataset '{name}' is there at {resolution}x{resolution} already "
        f'({path}), made of other images or with other settings; choose '
        'another name, or overwrite it'
      )


def _clear(plan: Plan, staging: epath.Path) -> None:
  """Removes what an interrupted run left, but for resolutions of this plan."""
  useful = {
    str(resolution)
    for resolution, path in datasets.available(plan.name, staging).items()
    if resolution in plan.resolutions and _fingerprint(path) == plan.fingerprint
  }
  folder = staging / plan.name
  for path in folder.iterdir() if folder.exists() else ():
    if path.name not in useful:
      path.rmtree() if path.is_dir() else path.unlink()


def _leave_nothing_empty(plan: Plan, staging: epath.Path, new: bool) -> None:
  """After a refusal: without a whole resolution there is nothing to take up.

  Args:
    plan: that was refused.
    staging: where it was made.
    new: whether the folder that this is in was made for it.
  """
  if not datasets.available(plan.name, staging):
    _remove(staging)
    if new and not any(staging.parent.iterdir()):
      staging.parent.rmdir()


def _make_resolution(
  plan: Plan,
  resolution: int,
  staging: epath.Path,
  workplace: epath.Path,
  there: dict[int, epath.Path],
) -> None:
  """Makes one resolution in the staging folder, unless it is whole there."""
  staged = datasets.available(plan.name, staging)
  if resolution in staged:
    return
  full = (there | staged).get(plan.resolutions[0])
  reader = _reader(full) if full and resolution != plan.resolutions[0] else None
  builder = plan.make(resolution, staging, reader)
  downloads = staging if plan.fingerprint else workplace  # kept for next time
  _download_and_prepare(builder, downloads / 'downloads')


def _download_and_prepare(
  builder: builders.ResolutionBuilder, download_dir: epath.Path
) -> None:
  """Runs TFDS without its progress bars and its messages; ours are shown."""
  try:
    with contextlib.redirect_stdout(io.StringIO()):
      tfds.disable_progress_bar()
      builder.download_and_prepare(
        file_format='array_record', download_dir=download_dir
      )
  except (requests.RequestException, util.DownloadError) as error:
    kind = type(error).__name__
    raise UserError(
      f'cannot download {builder.name} ({kind}); get its four IDX files '
      f'elsewhere and give their folder as the source'
    ) from error
  except download_manager.NonMatchingChecksumError as error:
    raise UserError(
      f'the download of {builder.name} is not the published file: '
      f'{str(error).splitlines()[0]}'
    ) from error
  except RuntimeError as error:  # so ArrayRecord tells of the system
    for number in OUT_OF_SPACE:
      if os.strerror(number) in str(error):
        raise OSError(number, os.strerror(number)) from error
    raise


def _reader(directory: epath.Path) -> Reader:
  """Reads the full resolution, whose pixels the lower resolutions average."""
  opened: dict[str, datasets.PreparedDataset] = {}

  def read(split: str, index: int) -> np.ndarray:
    if split not in opened:
      opened[split] = datasets.PreparedDataset(directory, split)
    return opened[split][index]['image']

  return read


def _move(
  plan: Plan, staging: epath.Path, data_dir: epath.Path, resolutions: list[int]
) -> None:
  """Moves whole resolutions into place, in the stead of any that do not match.

  A resolution of another pyramid must not stay beside the new ones, even at a
  resolution that is not made now.
  """
  staged = datasets.available(plan.name, staging)
  new = {_fingerprint(path) for path in staged.values()}
  for resolution, path in datasets.available(plan.name, data_dir).items():
    if resolution in resolutions or _fingerprint(path) not in new:
      _remove(path.parent)
  for resolution in resolutions:
    target = data_dir / plan.name / str(resolution)
    target.mkdir(parents=True, exist_ok=True)
    remote.move(staged[resolution], target / staged[resolution].name)
  _remove(staging)


def _fingerprint(directory: epath.Path) -> str | None:
  """Returns what a resolution was made from; None for a dataset not ours."""
  return tfds.builder_from_directory(directory).info.metadata.get('fingerprint')


def _remove(path: epath.Path) -> None:
  if path.exists():
    path.rmtree()
