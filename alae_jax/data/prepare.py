"""Makes TFDS datasets, one per resolution.

They are made in data_dir/NAME.unfinished, or in this machine's cache where
data_dir is remote, and moved into place when all of them are whole. Who was
interrupted goes on where it was, if the images are the same and are treated in
the same way.
"""

import functools
import os
import pathlib
from collections.abc import Callable, Sequence

from etils import epath

from alae_jax import progress, storage
from alae_jax.data import datasets, remote
from alae_jax.data.preparing import (
  assembly,
  beam,
  downloads,
  levels,
  plans,
  processes,
  shards,
  staging,
)
from alae_jax.data.preparing import wishes as wishes_lib
from alae_jax.data.preparing.catalogue import DATASETS
from alae_jax.data.preparing.plans import Plan
from alae_jax.data.preparing.wishes import Wishes
from alae_jax.data.sources import folders
from alae_jax.errors import UserError, printable

SKIPPED = 'skipped.txt'
# Makes all shards of a plan, by a recipe.
Engine = Callable[..., None]


def prepare(
  name: str,
  source: epath.PathLike | None = None,
  data_dir: epath.PathLike = 'data',
  resolution: int | None = None,
  test_images: float | None = None,
  channels: int | None = None,
  overwrite: bool = False,
  *,
  format: str | None = None,
  labels: str | None = None,
  fit: str = 'crop',
  max_images: int | None = None,
  bad_files: str = 'fail',
  enlarge: bool = False,
  depth_range: tuple[int, int] | None = None,
  workers: int | None = None,
  beam_options: Sequence[str] | None = None,
) -> list[epath.Path]:
  """Makes a dataset at its full resolution and all the powers of two below.

  Large datasets are made by processes of their own: call it from a script that
  can be imported (`if __name__ == '__main__'`), or with one worker.

  Args:
    name: of a dataset in catalogue.DATASETS, or of your choice.
    source: where the raw images are, in any form of sources.finding.FORMS;
      None: download them, where that can be done.
    data_dir: where datasets are kept; local or remote (gs://…).
    resolution: the full one; by default the known dataset's, or the largest
      power of two that no image is smaller than, at most 1024.
    test_images: how many images are set apart for testing, or their part of
      all between 0 and 1, chosen by a hash of their names; by default as the
      known dataset or the source has it, else a tenth, at most 10,000.
    channels: 3 (RGB) or 1 (grey).
    overwrite: replace resolutions that are there already.
    format: the source's form; None: found from what is there.
    labels: 'folders', 'none', or a CSV file; see classes.find_labels.
    fit: what becomes of an image that is not square: 'crop', 'pad' or
      'stretch'.
    max_images: take only so many of the training images, the first.
    bad_files: 'fail', and nothing is made, or 'skip', and they are named in
      data_dir/NAME/skipped.txt.
    enlarge: take images that are smaller than the resolution.
    depth_range: the values of 16-bit images that become black and white.
    workers: processes; None: one a core; 1: this one alone.
    beam_options: make it with Apache Beam instead, with these options of its
      own, such as ['runner=DataflowRunner', 'project=…']; source and data_dir
      must be where all its workers find them.

  Returns:
    The folders of the resolutions, the full one first.

  Raises:
    UserError: the arguments or the files are not right, or other data is
      there under that name.
  """
  wishes = Wishes(
    resolution, test_images, channels, format, labels, fit, max_images,
    bad_files, enlarge, depth_range,
  )  # fmt: skip
  wishes_lib.check(name, wishes)
  target = storage.locate(data_dir)
  if target.exists() and not target.is_dir():
    raise UserError(f'data_dir {data_dir} is a file: name a folder')
  if source is None:
    source = _download(name)
  else:
    _refuse_to_remove(storage.locate(source), name, target, overwrite)
  plan = plans.make_plan(name, source, data_dir, wishes)
  for note in plan.notes:
    progress.say(printable(note))
  if beam_options is None:
    engine = functools.partial(
      processes.make_shards, bad_files=bad_files, workers=workers
    )
  else:
    engine = functools.partial(
      beam.make_shards,
      request=(name, os.fspath(source), os.fspath(data_dir), wishes),
      options=beam_options,
    )
  folder = staging.locate(name, target, shared=beam_options is not None)
  return _carry_out(plan, folder, target, overwrite, wishes, engine)


def _download(name: str) -> epath.Path:
  known = DATASETS.get(name)
  if known and known.urls:
    return downloads.fetch(name, known.urls)
  free = ' and '.join(n for n, known in DATASETS.items() if known.urls)
  hint = f': {known.files}' if known else ''
  raise UserError(
    f"source is missing: dataset '{name}' needs a folder or file of images"
    f'{hint} (without, only {free} can be made)'
  )


def _refuse_to_remove(
  source: epath.Path, name: str, data_dir: epath.Path, overwrite: bool
) -> None:
  """Raises UserError if images are where a dataset is made or replaced."""
  removed = [staging.locate(name, data_dir)]
  if overwrite:
    there = datasets.available(name, data_dir).values()
    removed += [path.parent for path in there]
  given = pathlib.Path(os.path.realpath(source))
  for folder in removed:
    made = pathlib.Path(os.path.realpath(folder))
    if given.is_relative_to(made) or (
      made.is_relative_to(given)
      and folder.exists()
      and folders.list_images(folder)
    ):
      raise UserError(
        f'source {source}: images in {folder} would be removed, where the '
        'dataset is made: move them elsewhere'
      )


def _carry_out(
  plan: Plan,
  folder: epath.Path,
  data_dir: epath.Path,
  overwrite: bool,
  wishes: Wishes,
  engine: Engine,
) -> list[epath.Path]:
  """Makes the resolutions that are missing, then moves them into place."""
  fingerprint = plan.fingerprint
  with staging.alone(plan.name, folder, data_dir):
    there = datasets.available(plan.name, data_dir)
    if overwrite:  # what a killed overwriting has moved is new already
      moving = staging.note_of(folder).get('made_from') == fingerprint
      there = _of(there, fingerprint) if moving else {}
    _refuse_other_data(plan, there)
    missing = tuple(r for r in plan.resolutions if r not in there)
    if missing:
      if not staging.is_made(plan.name, fingerprint, folder, missing):
        _make(plan, missing, folder, wishes, engine)
      _move(plan, folder, data_dir, missing)
  made = datasets.available(plan.name, data_dir)
  return [made[resolution] for resolution in plan.resolutions]


def _refuse_other_data(plan: Plan, there: dict[int, epath.Path]) -> None:
  """Raises UserError if what is there was made of something else."""
  for resolution, path in there.items():
    if not _fits(plan, resolution, path):
      raise UserError(
        f"dataset '{plan.name}' is there at {resolution}x{resolution} already "
        f'({path}), made of other images or with other settings; choose '
        'another name, or overwrite it'
      )


def _fits(plan: Plan, resolution: int, path: epath.Path) -> bool:
  """Whether a resolution that is there can stay beside those of the plan.

  It is of the same making, or of the same images and no part of the pyramid,
  such as MNIST's 28x28.
  """
  made = levels.read_metadata(path)
  if (resolution in levels.RESOLUTIONS) == (
    plan.resolutions[0] in levels.RESOLUTIONS
  ):
    return made.get('made_from') == plan.fingerprint
  return made.get('source') == plan.source.digest


def _of(
  there: dict[int, epath.Path], fingerprint: str
) -> dict[int, epath.Path]:
  """The resolutions that were made of the same."""
  return {
    resolution: path
    for resolution, path in there.items()
    if levels.read_metadata(path).get('made_from') == fingerprint
  }


def _make(
  plan: Plan,
  missing: tuple[int, ...],
  folder: epath.Path,
  wishes: Wishes,
  engine: Engine,
) -> None:
  """Makes resolutions whole in the staging folder."""
  begun = {
    'made_from': plan.fingerprint,
    'levels': list(missing),
    'stamp': plan.source.stamp,
  }
  staging.take_up(folder, begun)
  recipe = shards.Recipe(plan.source.reader, plan.treatment, missing, folder)
  cut = plan.shards()
  try:
    engine(plan=plan, recipe=recipe, cut=cut)
    reports = [shards.read_report(recipe, shard) for shard in cut]
    skipped = assembly.judge(plan.source, reports, wishes.bad_files)
  except assembly.TooManyBad:
    staging.clear(folder)
    raise
  except UserError:
    if processes.is_little(plan):  # or else who skips bad files goes on from it
      staging.clear(folder)
    raise
  assembly.warn_of_dark(reports, wishes.depth_range)
  assembly.assemble(plan, recipe, cut, reports)
  staging.note_whole(folder, plan.fingerprint, skipped)


def _move(
  plan: Plan,
  folder: epath.Path,
  data_dir: epath.Path,
  resolutions: Sequence[int],
) -> None:
  """Moves whole resolutions into place, in the stead of any that do not match.

  A resolution of another pyramid must not stay beside the new ones, even at a
  resolution that is not made now.
  """
  staged = datasets.available(plan.name, folder)
  for resolution, path in datasets.available(plan.name, data_dir).items():
    if resolution in resolutions or not _fits(plan, resolution, path):
      path.parent.rmtree()
  skipped = staging.note_of(folder)['skipped']
  for resolution in resolutions:
    target = data_dir / plan.name / str(resolution)
    target.mkdir(parents=True, exist_ok=True)
    remote.move(staged[resolution], target / staged[resolution].name)
  _tell_skipped(data_dir / plan.name / SKIPPED, skipped)
  staging.clear(folder)


def _tell_skipped(path: epath.Path, skipped: Sequence[Sequence[str]]) -> None:
  """Writes a line for every image that was skipped."""
  if not skipped:
    path.unlink(missing_ok=True)
    return
  lines = [f'{printable(name)}\t{printable(why)}\n' for name, why in skipped]
  storage.write_whole(path, ''.join(lines).encode())
  progress.say(
    f'skipped {len(skipped):,} files that cannot be used: see {path}'
  )
