"""A trained model in the formats of others."""

import dataclasses
import math
import os

import jax
import numpy as np

from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.formats.release import KINDS, cut
from alae_jax.formats.release_file import write_release_checkpoint
from alae_jax.inference.loading import StoredState, load_state
from alae_jax.runs.folder import RunFolder
from alae_jax.runs.schedule import build_schedule, segment_at

FILE = 'model.pth'


@dataclasses.dataclass(frozen=True)
class Export:
  """What was written.

  Attributes:
    path: of the file.
    note: what of the run is not in it and why, in a line; '' for nothing.
  """

  path: str
  note: str


def export_release(
  workdir: str, out: str, checkpoint: int | None = None
) -> Export:
  """Writes a run's checkpoint as the authors' release saves its own.

  Of a run that has not grown to the end these are the levels that are trained,
  see `level_to_export`.

  Args:
    workdir: a run folder.
    out: a folder, made if need be.
    checkpoint: images seen; None for the newest.

  Raises:
    UserError: there is no StyleALAE in the folder, or of 4x4 only, the file
      exists, `out` is a file or among the run's checkpoints, or PyTorch is
      missing.
  """
  folder = storage.locate(out)
  path = folder / FILE
  if folder.exists() and not folder.is_dir():
    raise UserError(f'out {out} is a file: name a folder')
  storage.require_folder(folder)
  _refuse_checkpoints(workdir, out)
  if path.exists():
    raise UserError(f'{path} exists: name another folder')
  stored = load_state(workdir, checkpoint)
  if stored.config.model.kind not in KINDS:
    raise UserError(
      f'{workdir} holds an {stored.config.model.kind} model: '
      'the release has a layout for StyleALAE alone'
    )
  level, note = level_to_export(stored)
  if level == 0:
    raise UserError(
      f'{workdir} has only trained 4x4 yet, and 8x8 is the smallest model '
      'there is: export it when the next level has begun'
    )
  params, ema, mean_w = jax.tree.map(
    np.asarray, (stored.state.params, stored.state.ema, stored.state.mean_w)
  )
  model = cut(stored.config.model.to_dict(), level + 1)
  mean_w = mean_w[: 2 * model['levels']]
  folder.mkdir(parents=True, exist_ok=True)
  write_release_checkpoint(str(path), params, ema, mean_w, model)
  return Export(str(path), note)


def _refuse_checkpoints(workdir: str, out: str) -> None:
  """Checkpoints get removed as the run goes on, with what is beside them."""
  checkpoints = RunFolder(storage.locate(workdir)).checkpoints
  inside, target = (
    os.fspath(path) if storage.is_remote(path) else os.path.realpath(path)
    for path in (checkpoints, storage.locate(out))
  )
  if f'{target}/'.startswith(f'{inside}/'):
    raise UserError(f'out {out} is among the checkpoints: name another folder')


def level_to_export(stored: StoredState) -> tuple[int, str]:
  """The highest level that is worth exporting, and what is to say about it.

  The release's layout has no place for a level that is only partly faded in.
  Such a level is exported as if it had faded in where it already makes up half
  of the images, or is the first that makes a model, and else left out.

  Args:
    stored: a StyleALAE's state.

  Returns:
    The level, and a note or ''.
  """
  segment = segment_at(build_schedule(stored.config), stored.images_seen - 1)
  level, blend = segment.level, segment.blend(stored.images_seen)
  last = stored.config.model.levels - 1
  fade = f'{_size(level)} has faded in by {math.floor(100 * blend)}%'
  notes = []
  if blend < 0.5 and level > 1:
    notes = [f'{fade} and is left out']
    level -= 1
  elif blend < 1:
    notes = [f'{fade} and is written as if it had wholly']
  if level < last:
    notes = [f'written as a model of {_size(level)}, not {_size(last)}', *notes]
  return level, '; '.join(notes)


def _size(level: int) -> str:
  return f'{4 << level}x{4 << level}'
