"""The run folder that an import makes: in one go, or again after a kill."""

import contextlib
import os

from etils import epath
from ml_collections import ConfigDict

from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.runs.checkpoint import Checkpoints
from alae_jax.runs.folder import RunFolder, write_config
from alae_jax.runs.ownership import LostFolder, Owner
from alae_jax.runs.state import TrainState

NOTE = 'imported '  # how the log of an import begins
_IMAGES_SEEN = 0  # of its only checkpoint
# What the owner of a folder and a file half written leave beside.
_HIDDEN = ('.config.json.partial', '.owner.json.lock', '.owner.json.partial')


def require_free(folder: RunFolder) -> None:
  """Refuses a folder that holds anything but what a killed import left.

  Raises:
    UserError: names what is in the way, or it can't be a folder.
  """
  if folder.path.exists() and not folder.path.is_dir():
    raise UserError(f'workdir {folder.path} is a file: name a folder')
  storage.require_folder(folder.path)
  foreign = _foreign(folder)
  if foreign:
    raise UserError(
      f'workdir {folder.path} is not empty ({foreign} is there): name a new '
      'folder'
    )


def write_run(
  folder: RunFolder, config: ConfigDict, state: TrainState, note: str
) -> None:
  """Makes the run; only with config.json, which comes last, is it one.

  What a killed import left is replaced.

  Args:
    folder: see `require_free`.
    config: of the run.
    state: its first.
    note: what was imported, in a line that begins with NOTE.

  Raises:
    UserError: the folder is not free, or another process writes there.
  """
  require_free(folder)  # before a lock file is put beside what is there
  with Owner(folder) as owner:
    require_free(folder)  # again: an import or a training may have just ended
    remove_leftovers(folder)
    try:
      with contextlib.closing(Checkpoints(folder.checkpoints)) as checkpoints:
        checkpoints.save(state, _IMAGES_SEEN)
      storage.append(folder.log, note + '\n')
      owner.check()
      write_config(folder, config)
    except BaseException:
      with contextlib.suppress(LostFolder):  # to another, whose files they are
        owner.check()
        remove_leftovers(folder)
      raise


def remove_leftovers(folder: RunFolder) -> None:
  """Removes what an import wrote; what isn't an import's must not be there."""
  if folder.checkpoints.exists():
    folder.checkpoints.rmtree()
  folder.log.unlink(missing_ok=True)


def _foreign(folder: RunFolder) -> str:
  """Something in the folder that no killed import left there, or ''."""
  if not folder.path.exists():
    return ''
  expected = {
    folder.checkpoints.name: _is_first_checkpoint,
    folder.log.name: _is_log,
    folder.owner.name: _is_file,
    folder.pictures.name: _is_empty,
  } | dict.fromkeys(_HIDDEN, _is_file)
  for path in sorted(folder.path.iterdir()):
    ours = expected.get(path.name)
    if ours is None or os.path.islink(path) or not ours(path):
      return path.name
  return ''


def _is_first_checkpoint(path: epath.Path) -> bool:
  """A run's first checkpoint alone, whole or not (0.orbax-checkpoint-tmp)."""
  return path.is_dir() and all(
    entry.name == str(_IMAGES_SEEN)
    or entry.name.startswith(f'{_IMAGES_SEEN}.orbax')
    for entry in path.iterdir()
  )


def _is_log(path: epath.Path) -> bool:
  """Of an import, whole or not."""
  if not path.is_file():
    return False
  with path.open('rb') as file:
    return NOTE.encode().startswith(file.read(len(NOTE)))


def _is_file(path: epath.Path) -> bool:
  return path.is_file()


def _is_empty(path: epath.Path) -> bool:
  return path.is_dir() and not any(path.iterdir())
