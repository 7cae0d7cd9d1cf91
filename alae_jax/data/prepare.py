"""Makes TFDS datasets, one per resolution.

They are made in data_dir/NAME.unfinished, or in this machine's cache where
data_dir is remote, and moved into place when all of them are whole. Who was
interrupted goes on where it was, if the images are the same and are treated in
the same way.
"""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import filelock
from etils import epath

from alae_jax import progress, storage
from alae_jax.data import datasets, remote
from alae_jax.data.preparing import downloads, levels, plans, shards
from alae_jax.data.preparing.catalogue import DATASETS
from alae_jax.data.preparing.plans import Plan, Wishes
from alae_jax.data.preparing.workers import Job, Workers
from alae_jax.data.sources import base, folders
from alae_jax.errors import UserError, printable, reason

SKIPPED = 'skipped.txt'
_PLAN, _WHOLE = 'plan.json', 'whole.json'
_MOST_NAMED = 20
# Below this much work, a quarter of a minute, processes are not worth starting.
_PIXELS_FOR_PROCESSES = 1 << 25
# Of the first images: what is wrong with most of them is wrong with all.
_IMAGES_TO_GIVE_UP = 100


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
  plans.check(name, wishes)
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
  return _carry_out(plan, target, overwrite, wishes, workers)


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
  removed = [_staging(name, data_dir)]
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


def _staging(name: str, data_dir: epath.Path) -> epath.Path:
  """Where resolutions are made, before all of them are whole."""
  return remote.workplace(data_dir) / f'{name}.unfinished'


def _carry_out(
  plan: Plan,
  data_dir: epath.Path,
  overwrite: bool,
  wishes: Wishes,
  workers: int | None,
) -> list[epath.Path]:
  """Makes the resolutions that are missing, then moves them into place."""
  staging = _staging(plan.name, data_dir)
  fingerprint = plan.fingerprint
  with _alone(plan.name, staging, data_dir):
    there = datasets.available(plan.name, data_dir)
    if overwrite:  # what a killed overwriting has moved is new already
      moving = _whole(staging).get('made_from') == fingerprint
      there = _of(there, fingerprint) if moving else {}
    _refuse_other_data(plan, there)
    missing = tuple(r for r in plan.resolutions if r not in there)
    if missing:
      if not _is_made(plan.name, fingerprint, staging, missing):
        _make(plan, fingerprint, missing, staging, wishes, workers)
      _move(plan, staging, data_dir, missing)
  made = datasets.available(plan.name, data_dir)
  return [made[resolution] for resolution in plan.resolutions]


@contextlib.contextmanager
def _alone(
  name: str, staging: epath.Path, data_dir: epath.Path
) -> Iterator[None]:
  """Keeps others from making the same; leaves no folder that holds nothing."""
  new = not staging.parent.exists()
  staging.mkdir(parents=True, exist_ok=True)
  try:
    with filelock.FileLock(staging / '.lock').acquire(timeout=0):
      try:
        yield
      finally:
        _leave_nothing_empty(staging, new)
  except filelock.Timeout:
    raise UserError(
      f"another process is preparing '{name}' in {data_dir}: wait for it"
    ) from None
  except OSError as error:
    why = error.strerror or reason(error)
    raise OSError(
      error.errno,
      f'{why}; what was there before is whole, and the same command goes on',
      os.fspath(data_dir),
    ) from error


def _leave_nothing_empty(staging: epath.Path, new: bool) -> None:
  """Removes the staging folder unless there is work to take up in it."""
  work = [p for p in staging.glob('*/*') if not p.name.endswith('.partial')]
  if not work and staging.exists():
    staging.rmtree()
    if new and not any(staging.parent.iterdir()):
      staging.parent.rmdir()


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


def _make(
  plan: Plan,
  fingerprint: str,
  missing: tuple[int, ...],
  staging: epath.Path,
  wishes: Wishes,
  workers: int | None,
) -> None:
  """Makes resolutions whole in the staging folder."""
  begun = {
    'made_from': fingerprint,
    'levels': list(missing),
    'stamp': plan.source.stamp,
  }
  _take_up(staging, begun)
  recipe = shards.Recipe(plan.source.reader, plan.treatment, missing, staging)
  cut = [
    shard
    for split, indices in plan.splits.items()
    for shard in shards.cut(
      split, len(indices), plan.treatment.resolution, plan.treatment.channels
    )
  ]
  try:
    _make_shards(plan, recipe, cut, wishes, workers)
  except UserError:
    _clear(staging)
    raise
  reports = [shards.read_report(recipe, shard) for shard in cut]
  skipped = judge(plan.source, reports, wishes.bad_files)
  warn_of_dark(reports, wishes)
  assemble(plan, recipe, cut, reports, fingerprint)
  marker = {'made_from': fingerprint, 'skipped': skipped}
  storage.write_whole(staging / _WHOLE, json.dumps(marker).encode())


def _whole(staging: epath.Path) -> dict[str, Any]:
  """What is noted when all resolutions in the staging folder are whole."""
  marker = staging / _WHOLE
  return json.loads(marker.read_text()) if marker.exists() else {}


def _is_made(
  name: str, fingerprint: str, staging: epath.Path, resolutions: Sequence[int]
) -> bool:
  """Whether they only have to be moved."""
  whole = _whole(staging).get('made_from') == fingerprint
  return whole and set(resolutions) <= set(datasets.available(name, staging))


def _of(
  there: dict[int, epath.Path], fingerprint: str
) -> dict[int, epath.Path]:
  """The resolutions that were made of the same."""
  return {
    resolution: path
    for resolution, path in there.items()
    if levels.read_metadata(path).get('made_from') == fingerprint
  }


def _take_up(staging: epath.Path, begun: dict[str, Any]) -> None:
  """Keeps what an interrupted run left, if it was to make the same."""
  marker = staging / _PLAN
  content = json.dumps(begun).encode()
  if not marker.exists() or marker.read_bytes() != content:
    _clear(staging)
    storage.write_whole(marker, content)
  for folder in ('pieces', 'shards'):
    (staging / folder).mkdir(exist_ok=True)


def _clear(staging: epath.Path) -> None:
  """Removes all but the lock, which is held."""
  for path in staging.iterdir():
    if path.name != '.lock':
      path.rmtree() if path.is_dir() else path.unlink()


def _make_shards(
  plan: Plan,
  recipe: shards.Recipe,
  cut: Sequence[shards.Shard],
  wishes: Wishes,
  workers: int | None,
) -> None:
  """Makes all shards that are missing, a piece at a time, in parallel.

  Raises:
    UserError: most of the images can't be used, and bad ones are not skipped.
  """
  side = plan.treatment.resolution
  total = sum(shard.stop - shard.start for shard in cut)
  left = [s for s in cut if not shards.report_path(recipe, s).exists()]
  done = total - sum(shard.stop - shard.start for shard in left)
  processes = _processes(total * side**2, workers)
  shown = progress.start(f'{plan.name} {side}x{side}', total, done, 'images')
  seen, bad = 0, []
  try:
    with Workers(processes, recipe) as pool:
      jobs = _Jobs(plan, left)
      for (function, arguments), outcome in pool.outcomes(jobs):
        if function is shards.make_piece:
          shown.update(len(arguments[0].names))
          jobs.finished(arguments[0].piece)
          seen += len(arguments[0].names)
          bad += outcome
          if wishes.bad_files == 'fail' and len(bad) > max(
            _IMAGES_TO_GIVE_UP, seen / 2
          ):
            raise _nothing_to_hope_for(plan.source, bad, seen)
  finally:
    shown.close()


def _nothing_to_hope_for(
  source: base.Source, bad: Sequence[tuple[str, str]], seen: int
) -> UserError:
  first, why = bad[0]
  return UserError(
    f'{len(bad):,} of the first {seen:,} images of {source.path} cannot be '
    f'used, such as {first}: {why}'
  )


def _processes(pixels: int, workers: int | None) -> int:
  """How many processes to start; 0: none."""
  if workers is None:
    workers = len(os.sched_getaffinity(0))
    return workers if pixels > _PIXELS_FOR_PROCESSES and workers > 1 else 0
  return workers if workers > 1 else 0


class _Jobs(Iterator[Job]):
  """Pieces in order; when a shard has all of its own, its files at once."""

  def __init__(self, plan: Plan, left: Sequence[shards.Shard]):
    self._plan = plan
    self._size = shards.piece_size(plan.treatment.resolution)
    self._missing = {shard: len(shard.pieces(self._size)) for shard in left}
    self._pieces = (p for shard in left for p in shard.pieces(self._size))
    self._whole: list[shards.Shard] = []

  def __next__(self) -> Job:
    if self._whole:
      shard = self._whole.pop()
      pieces = shard.pieces(self._size)
      return shards.finish_shard, (shard, pieces)
    task = self._task(next(self._pieces))
    return shards.make_piece, (task,)

  def finished(self, piece: shards.Piece) -> None:
    """A piece is there."""
    self._missing[piece.shard] -= 1
    if not self._missing[piece.shard]:
      self._whole.append(piece.shard)

  def _task(self, piece: shards.Piece) -> shards.Task:
    source, labels = self._plan.source, self._plan.labels
    indices = self._plan.splits[piece.shard.split][piece.start : piece.stop]
    return shards.Task(
      piece,
      [source.names[i] for i in indices],
      [source.places[i] for i in indices],
      [int(labels.of_images[i]) for i in indices] if labels else None,
    )


def judge(
  source: base.Source, reports: Sequence[dict[str, Any]], bad_files: str
) -> list[tuple[str, str]]:
  """What is done about images that can't be read.

  Args:
    source: names the place.
    reports: of all shards.
    bad_files: 'fail' or 'skip'.

  Returns:
    The names and reasons of those that are skipped.

  Raises:
    UserError: there are bad ones, and they are not to be skipped.
  """
  bad = [(name, why) for report in reports for name, why in report['bad']]
  if bad_files == 'skip' or not bad:
    return bad
  raise refusal(source, bad, sum(report['images'] for report in reports))


def refusal(
  source: base.Source, bad: Sequence[tuple[str, str]], good: int
) -> UserError:
  """Names the first twenty, and says how many there are."""
  for name, why in bad[:_MOST_NAMED]:
    progress.say(printable(f'{name}: {why}'))
  more = f', and {len(bad) - _MOST_NAMED:,} more' * (len(bad) > _MOST_NAMED)
  first, why = bad[0]
  return UserError(
    f'{len(bad):,} of {len(bad) + good:,} images of {source.path} cannot be '
    f'used, such as {first}: {why}{more}; mend or remove them, or skip bad '
    'files, which goes on from what is done'
  )


def warn_of_dark(reports: Sequence[dict[str, Any]], wishes: Wishes) -> None:
  """Says that deep images use a part of their range, as cameras' 12 bits."""
  deepest = max(report['deepest'] for report in reports)
  if 0 < deepest < 1 << 14 and wishes.depth_range is None:
    high = (1 << deepest.bit_length()) - 1
    progress.say(
      f'warning: the 16-bit images reach only {deepest:,} of 65,535 and are '
      f'dark: depth_range 0,{high} makes {high:,} white'
    )


def assemble(
  plan: Plan,
  recipe: shards.Recipe,
  cut: Sequence[shards.Shard],
  reports: Sequence[dict[str, Any]],
  fingerprint: str,
) -> None:
  """Makes datasets of the shards, in the staging folder."""
  full = [
    (shard, report)
    for shard, report in zip(cut, reports, strict=True)
    if report['images']
  ]
  if not any(shard.split == 'train' for shard, _ in full):
    raise UserError(f'source {plan.source.path}: no image is left to train on')
  pixels = hashlib.sha256()
  for shard, report in full:
    pixels.update(f'{shard.split} {report["sha256"]}\n'.encode())
  for level in recipe.levels:
    files: dict[str, list[levels.ShardFile]] = {}
    for shard, report in full:
      of_level = report['levels'][str(level)]
      files.setdefault(shard.split, []).append(
        levels.ShardFile(
          shards.shard_path(recipe, shard, level),
          report['images'],
          of_level['payload'],
          of_level['sha256'],
        )
      )
    levels.assemble(
      recipe.folder,
      plan.name,
      level,
      plan.treatment.channels,
      plan.labels.names if plan.labels else None,
      files,
      {
        'fingerprint': pixels.hexdigest(),
        'made_from': fingerprint,
        'source': plan.source.digest,
      },
    )


def _move(
  plan: Plan,
  staging: epath.Path,
  data_dir: epath.Path,
  resolutions: Sequence[int],
) -> None:
  """Moves whole resolutions into place, in the stead of any that do not match.

  A resolution of another pyramid must not stay beside the new ones, even at a
  resolution that is not made now.
  """
  staged = datasets.available(plan.name, staging)
  for resolution, path in datasets.available(plan.name, data_dir).items():
    if resolution in resolutions or not _fits(plan, resolution, path):
      path.parent.rmtree()
  skipped = _whole(staging)['skipped']
  for resolution in resolutions:
    target = data_dir / plan.name / str(resolution)
    target.mkdir(parents=True, exist_ok=True)
    remote.move(staged[resolution], target / staged[resolution].name)
  _tell_skipped(data_dir / plan.name / SKIPPED, skipped)
  _clear(staging)


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
