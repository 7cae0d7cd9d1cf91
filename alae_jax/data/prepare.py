"""`alae prepare`: makes TFDS datasets, one per resolution.

The levels are made in data_dir/NAME.unfinished, or in this machine's cache
where data_dir is remote, and moved into place when all of them are whole. A run
that was interrupted takes up the levels it had finished, if they were made of
the same images in the same way.
"""

import argparse
import contextlib
import io

import numpy as np
import requests
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.download import download_manager, util

from alae_jax import storage
from alae_jax.data import builder as builders
from alae_jax.data import datasets as sources
from alae_jax.data import remote
from alae_jax.data.plans import Plan, Reader, make_plan
from alae_jax.errors import UserError


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
    overwrite: replace levels that are there already.

  Returns:
    The folders of the levels, the full one first.

  Raises:
    UserError: the arguments or the files are not right, or other data is
      there under that name.
  """
  plan = make_plan(name, source, resolution, test_images, channels)
  return _carry_out(plan, storage.locate(data_dir), overwrite)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Adds the command's arguments to a parser."""
  add = parser.add_argument
  add('name', help='mnist, fashion_mnist, or a name for a folder of images')
  add('--source', help='folder of images, or of the four MNIST IDX files')
  add('--data_dir', default='data', help='for datasets (default: data)')
  add('--resolution', type=int, help='full resolution, a power of two')
  add('--test_images', type=float, help='test images: a count, or a part < 1')
  add('--channels', type=int, choices=(1, 3), help='1 grey, 3 RGB (default)')
  add('--overwrite', action='store_true', help='replace what is there')


def run(args: argparse.Namespace) -> None:
  """Runs the command, and prints a line per level."""
  for path in prepare(**{
    key: getattr(args, key)
    for key in (
      'name', 'source', 'data_dir', 'resolution', 'test_images', 'channels',
      'overwrite',
    )
  }):  # fmt: skip
    splits = tfds.builder_from_directory(path).info.splits
    counts = ', '.join(f'{s.num_examples} {n}' for n, s in splits.items())
    print(f'{path}: {counts} images')


def _carry_out(
  plan: Plan, data_dir: epath.Path, overwrite: bool
) -> list[epath.Path]:
  """Makes the levels that are missing, then moves them into place."""
  workplace = remote.workplace(data_dir)
  staging = workplace / f'{plan.name}.unfinished'
  there = {} if overwrite else sources.available(plan.name, data_dir)
  _refuse_other_data(plan.name, plan.fingerprint, there)
  missing = [level for level in plan.levels if level not in there]
  _clear(plan, staging)
  for level in missing:
    _make_level(plan, level, staging, workplace, there)
  if missing:
    staged = sources.available(plan.name, staging)
    made_from = _fingerprint(staged[missing[0]])  # known now, if downloaded
    _refuse_other_data(plan.name, made_from, there)
    _move(plan, staging, data_dir, missing)
  made = sources.available(plan.name, data_dir)
  return [made[level] for level in plan.levels]


def _refuse_other_data(
  name: str, fingerprint: str | None, there: dict[int, epath.Path]
) -> None:
  """Raises UserError if what is there was made of something else."""
  for level, path in there.items():
    if fingerprint not in (None, _fingerprint(path)):
      raise UserError(
        f"dataset '{name}' is there at {level}x{level} already ({path}), "
        'made of other images or with other settings; choose another NAME, '
        'or replace it with --overwrite'
      )


def _clear(plan: Plan, staging: epath.Path) -> None:
  """Removes what an interrupted run left, but for levels of this plan."""
  useful = {
    str(level)
    for level, path in sources.available(plan.name, staging).items()
    if level in plan.levels and _fingerprint(path) == plan.fingerprint
  }
  folder = staging / plan.name
  for path in folder.iterdir() if folder.exists() else ():
    if path.name not in useful:
      path.rmtree() if path.is_dir() else path.unlink()


def _make_level(
  plan: Plan,
  level: int,
  staging: epath.Path,
  workplace: epath.Path,
  there: dict[int, epath.Path],
) -> None:
  """Makes one level in the staging folder, unless it is whole there."""
  staged = sources.available(plan.name, staging)
  if level in staged:
    return
  full = (there | staged).get(plan.levels[0])
  reader = _reader(full) if full and level != plan.levels[0] else None
  builder = plan.make(level, staging, reader)
  downloads = staging if plan.fingerprint else workplace  # kept for next time
  _download_and_prepare(builder, downloads / 'downloads')


def _download_and_prepare(
  builder: builders.Level, download_dir: epath.Path
) -> None:
  """Runs TFDS without its progress bars and its messages; ours are shown."""
  try:
    with contextlib.redirect_stdout(io.StringIO()):
      tfds.disable_progress_bar()
      builder.download_and_prepare(
        file_format='array_record', download_dir=download_dir
      )
  except (requests.RequestException, util.DownloadError) as error:
    reason = type(error).__name__
    raise UserError(
      f'cannot download {builder.name} ({reason}); get its four IDX files '
      f'elsewhere and give their folder: --source FOLDER'
    ) from error
  except download_manager.NonMatchingChecksumError as error:
    raise UserError(
      f'the download of {builder.name} is not the published file: '
      f'{str(error).splitlines()[0]}'
    ) from error


def _reader(directory: epath.Path) -> Reader:
  """Reads the full level, whose pixels the lower levels average."""
  opened: dict[str, sources.DatasetSource] = {}

  def read(split: str, index: int) -> np.ndarray:
    if split not in opened:
      opened[split] = sources.DatasetSource(directory, split)
    return opened[split][index]['image']

  return read


def _move(
  plan: Plan, staging: epath.Path, data_dir: epath.Path, levels: list[int]
) -> None:
  """Moves whole levels into place, in the stead of any that do not match.

  A level of another pyramid must not stay beside the new ones, even at a
  resolution that is not made now.
  """
  staged = sources.available(plan.name, staging)
  new = {_fingerprint(path) for path in staged.values()}
  for level, path in sources.available(plan.name, data_dir).items():
    if level in levels or _fingerprint(path) not in new:
      _remove(path.parent)
  for level in levels:
    target = data_dir / plan.name / str(level)
    target.mkdir(parents=True, exist_ok=True)
    remote.move(staged[level], target / staged[level].name)
  _remove(staging)


def _fingerprint(directory: epath.Path) -> str | None:
  """Returns what a level was made from; None for a dataset not ours."""
  return tfds.builder_from_directory(directory).info.metadata.get('fingerprint')


def _remove(path: epath.Path) -> None:
  if path.exists():
    path.rmtree()
