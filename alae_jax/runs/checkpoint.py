"""Checkpoints of the train state; with stored_arrays all that knows Orbax."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint import checkpoint_managers

from alae_jax import storage
from alae_jax.errors import UserError, printable, reason
from alae_jax.runs import checksums, stored_arrays
from alae_jax.runs.saving import tells_of_failure
from alae_jax.runs.state import TrainState

T = TypeVar('T')

_ITEM = 'default'  # where in a checkpoint's folder Orbax puts the state
_FIELDS = [field.name for field in dataclasses.fields(TrainState)]
_MOST_TOLD = 8


class _Kept:
  """Orbax's policy of keeping one checkpoint, whichever it is just now."""

  images_seen: int | None = None

  def should_preserve(
    self, checkpoints: Sequence[Any], *, context: Any
  ) -> Sequence[bool]:
    """Whether each of some checkpoints stays."""
    return [info.step == self.images_seen for info in checkpoints]


class _Manager(ocp.CheckpointManager):
  """Orbax's, but for a question that is the training loop's to ask.

  Processes agree on the step after which a signal stops them by counting how
  often each has asked whether it is reached. Orbax would ask too, and count in
  images: then the step on which they agree never comes.
  """

  def reached_preemption(self, step: int) -> bool:
    """Never: a save is a save."""
    return False


class DamagedCheckpoint(UserError):
  """A checkpoint that does not hold what was saved.

  Attributes:
    images_seen: by which it is numbered.
  """

  def __init__(self, folder: epath.Path, why: str):
    super().__init__(f'checkpoint {folder.name} is damaged: {folder}: {why}')
    self.images_seen = int(folder.name)


class Checkpoints:
  """The checkpoints of a run, numbered by images seen.

  A save is asynchronous, goes to a temporary folder and takes its name when it
  is whole, so a killed save is never picked up. Checksums are added as soon as
  the caller waits or saves again.
  """

  def __init__(
    self,
    path: epath.Path,
    keep_last: int = 1,
    keep_images: int | None = None,
    read_only: bool = False,
  ):
    """Opens the folder, and touches nothing before the first save.

    Args:
      path: made on the first save.
      keep_last: how many of the newest checkpoints to keep.
      keep_images: also keep one every so many images for good.
      read_only: whether to refuse to save.
    """
    self._kept = _Kept()
    policies: list[Any] = [checkpoint_managers.LatestN(keep_last), self._kept]
    if keep_images:
      policies.append(checkpoint_managers.EveryNStepsClosest(keep_images))
    self._policy = checkpoint_managers.AnyPreservationPolicy(policies)
    # Orbax writes to an absolute path only.
    self._path = path if storage.is_remote(path) else path.absolute()
    self._read_only = read_only
    self._manager: ocp.CheckpointManager | None = None
    self._lost = False

  def latest(self) -> int | None:
    """Images seen at the newest checkpoint, or None."""
    return max(self.all(), default=None)

  def all(self) -> list[int]:
    """Images seen at every checkpoint whose save came to its end, in order."""
    if self._manager is not None:  # which knows of the save under way
      return sorted(self._manager.all_steps())
    if not self._path.is_dir():
      return []
    return sorted(
      int(path.name) for path in self._path.iterdir() if _is_saved(path)
    )

  def newest_whole(self) -> int | None:
    """Images seen at the newest checkpoint that is not damaged, or None.

    Raises:
      UserError: there are checkpoints, and all of them are.
    """
    found, _ = self._newest(self._check)
    return None if found is None else found[0]

  def restore_newest(
    self, abstract_state: TrainState
  ) -> tuple[tuple[int, TrainState] | None, list[DamagedCheckpoint]]:
    """Reads the newest checkpoint that is not damaged.

    Returns:
      Its images seen and its state, or None where there are no checkpoints; and
      the newer ones, which are damaged.

    Raises:
      UserError: there are checkpoints, and none can be used.
    """
    return self._newest(
      lambda images_seen: self.restore(images_seen, abstract_state)
    )

  def _newest(
    self, read: Callable[[int], T]
  ) -> tuple[tuple[int, T] | None, list[DamagedCheckpoint]]:
    damaged: list[DamagedCheckpoint] = []
    for images_seen in reversed(self.all()):
      try:
        return (images_seen, read(images_seen)), damaged
      except DamagedCheckpoint as error:
        damaged.append(error)
    if damaged:
      raise UserError(
        f'{damaged[0]}; no other in {self._path} is whole: put one there from '
        'a copy, or name another run folder'
      )
    return None, []

  @tells_of_failure
  def save(self, state: TrainState, images_seen: int) -> None:
    """Begins to save; waits first for a save that is still under way.

    Raises:
      UnsavedError: now, or when it is waited for, as where the disk is full.
    """
    assert not self._read_only
    if self._manager is None:
      self._path.mkdir(parents=True, exist_ok=True)
      self._manager = self._open()
    if images_seen in self._manager.all_steps():
      return
    self.wait()
    self._path.mkdir(parents=True, exist_ok=True)
    self._manager.save(
      images_seen, args=ocp.args.StandardSave(state), force=True
    )

  def restore(self, images_seen: int, abstract_state: TrainState) -> TrainState:
    """Reads a checkpoint onto the shardings of `abstract_state`.

    Args:
      images_seen: by which it is numbered.
      abstract_state: shapes, types and shardings; fields that are {} are left
        unread, and {} in what is returned.

    Raises:
      DamagedCheckpoint: a file is not as it was saved.
      UserError: the checkpoint can't be read, or is of other shapes.
    """
    folder = self._path / str(images_seen)
    checked = _verify(folder)
    wanted = {
      name: getattr(abstract_state, name)
      for name in _FIELDS
      if jax.tree.leaves(getattr(abstract_state, name))
    }
    try:
      if not checked:
        stored_arrays.probe(folder / _ITEM, wanted)
      read = stored_arrays.read(folder / _ITEM, wanted)
    except Exception as error:  # Orbax and TensorStore raise all kinds
      if checked:
        raise UserError(
          f'checkpoint {images_seen} cannot be used: {folder}: {_brief(error)}'
        ) from error
      raise DamagedCheckpoint(folder, _brief(error)) from error
    return dataclasses.replace(abstract_state, **read)

  def keep(self, images_seen: int | None) -> None:
    """Has one checkpoint kept until another one is named."""
    self._kept.images_seen = images_seen

  def set_aside(self, images_seen: int) -> epath.Path:
    """Renames what is damaged, so that its number can be saved again.

    Returns:
      The new path.
    """
    path = self._path / str(images_seen)
    aside, number = self._path / f'{path.name}.damaged', 1
    while aside.exists():
      number += 1
      aside = self._path / f'{path.name}.damaged{number}'
    return path.rename(aside)

  def lose(self) -> None:
    """From now on the folder is another's: adds nothing more to it."""
    self._lost = True

  @tells_of_failure
  def wait(self) -> None:
    """Returns when everything is on disk, and its checksums beside it."""
    if self._manager is None:
      return
    self._manager.wait_until_finished()
    if jax.process_index() == 0 and not self._lost:
      for images_seen in self._manager.all_steps():
        _add_checksums(self._path / str(images_seen))

  @tells_of_failure
  def close(self) -> None:
    """Waits and lets go."""
    if self._manager is not None:
      self.wait()
      self._manager.close()
      self._manager = None

  def _open(self) -> ocp.CheckpointManager:
    return _Manager(
      self._path,
      options=ocp.CheckpointManagerOptions(
        preservation_policy=self._policy,
        cleanup_tmp_directories=True,
        create=False,
      ),
    )

  def _check(self, images_seen: int) -> None:
    """Looks whether a checkpoint is whole, without having it in memory."""
    folder = self._path / str(images_seen)
    if not _verify(folder):
      try:
        stored_arrays.probe(folder / _ITEM, _FIELDS)
      except Exception as error:
        raise DamagedCheckpoint(folder, _brief(error)) from error


def list_some(numbers: list[int]) -> str:
  """'16, 32 and 48'; of many the middle is left out."""
  if not numbers:
    return 'none'
  words = [str(number) for number in numbers]
  if len(words) > _MOST_TOLD:
    half = _MOST_TOLD // 2
    words = [*words[:half], '...', *words[-half:]]
  return ' and '.join(filter(None, [', '.join(words[:-1]), words[-1]]))


def _is_saved(path: epath.Path) -> bool:
  """Whether a name is a checkpoint's, and not that of a save under way."""
  if not (path.name.isdecimal() and path.name == str(int(path.name))):
    return False
  return not path.is_dir() or ocp.utils.is_checkpoint_finalized(path)


def _add_checksums(folder: epath.Path) -> None:
  """Unless they are there, or the folder was removed meanwhile."""
  if (folder / _ITEM).exists() and not (folder / checksums.NAME).exists():
    checksums.write(folder)


def _verify(folder: epath.Path) -> bool:
  """Whether a checkpoint has checksums, with which it then agrees."""
  if not folder.is_dir():
    raise DamagedCheckpoint(folder, 'it is no folder')
  if not any(folder.iterdir()):
    raise DamagedCheckpoint(folder, 'it is empty')
  try:
    checked = checksums.verify(folder)
  except checksums.Mismatch as error:
    raise DamagedCheckpoint(folder, str(error)) from None
  except Exception as error:
    raise UserError(f'{folder} cannot be read: {reason(error)}') from error
  if not (folder / _ITEM).exists():
    raise DamagedCheckpoint(folder, f'it has no {_ITEM}')
  return checked


def _brief(error: Exception) -> str:
  """TensorStore adds its whole specification to what it says."""
  said = printable(re.split(r' \[[a-z_ ]+=', reason(error))[0], 200)
  return f'cannot be read: {said}'
