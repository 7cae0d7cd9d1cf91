"""Checkpoints of the train state; the only file that knows Orbax."""

import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint import checkpoint_managers

from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.runs.saving import tells_of_failure
from alae_jax.runs.state import TrainState


class Checkpoints:
  """The checkpoints of a run, numbered by images seen.

  A save is asynchronous, goes to a temporary folder and takes its name when it
  is whole, so a killed save is never picked up.
  """

  def __init__(
    self,
    path: epath.Path,
    keep_last: int = 1,
    keep_images: int | None = None,
    read_only: bool = False,
  ):
    """Opens the folder.

    Args:
      path: made on the first save.
      keep_last: how many of the newest checkpoints to keep.
      keep_images: also keep one every so many images for good.
      read_only: touch nothing, not even what a killed save left.
    """
    policies = [checkpoint_managers.LatestN(keep_last)]
    if keep_images:
      policies.append(checkpoint_managers.EveryNStepsClosest(keep_images))
    # Orbax writes to an absolute path only.
    self._path = path if storage.is_remote(path) else path.absolute()
    self._manager = ocp.CheckpointManager(
      self._path,
      options=ocp.CheckpointManagerOptions(
        preservation_policy=checkpoint_managers.AnyPreservationPolicy(policies),
        cleanup_tmp_directories=not read_only,
        read_only=read_only,
        create=False,
      ),
    )

  def latest(self) -> int | None:
    """Images seen at the newest whole checkpoint, or None."""
    return self._manager.latest_step()

  def all(self) -> list[int]:
    """Images seen at every whole checkpoint, in order."""
    return sorted(self._manager.all_steps())

  @tells_of_failure
  def save(self, state: TrainState, images_seen: int) -> None:
    """Begins to save; waits first for a save that is still under way.

    Raises:
      UnsavedError: now, or when it is waited for, as where the disk is full.
    """
    if images_seen in self._manager.all_steps():
      return
    self._path.mkdir(parents=True, exist_ok=True)
    self._manager.save(
      images_seen, args=ocp.args.StandardSave(state), force=True
    )

  def restore(self, images_seen: int, abstract_state: TrainState) -> TrainState:
    """Reads a checkpoint onto the shardings of `abstract_state`.

    Raises:
      UserError: the checkpoint is damaged or of other shapes.
    """
    try:
      return self._manager.restore(
        images_seen, args=ocp.args.StandardRestore(abstract_state)
      )
    except (ValueError, OSError, KeyError) as error:
      first = (str(error).splitlines() or ['no reason given'])[0]
      raise UserError(
        f'checkpoint {self._path / str(images_seen)} cannot be read: {first}'
      ) from error

  @tells_of_failure
  def wait(self) -> None:
    """Returns when everything is on disk."""
    self._manager.wait_until_finished()

  @tells_of_failure
  def close(self) -> None:
    """Waits and lets go."""
    self._manager.close()
