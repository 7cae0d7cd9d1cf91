"""How a run is opened: checked, owned, restored or begun."""

import contextlib
import dataclasses
from collections.abc import Iterator

import jax
import ml_collections
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from alae_jax import config as config_lib
from alae_jax import progress, sharding, storage
from alae_jax.errors import UserError
from alae_jax.models.networks import Networks, build_networks
from alae_jax.runs import state as state_lib
from alae_jax.runs.checkpoint import Checkpoints
from alae_jax.runs.folder import RunFolder, stored_config, write_config
from alae_jax.runs.ownership import LostFolder, Owner, release
from alae_jax.runs.schedule import Segment, build_schedule, config_at
from alae_jax.runs.state import TrainState
from alae_jax.training import criteria, start
from alae_jax.training.reals import open_reals


@dataclasses.dataclass(frozen=True)
class Run:
  """What stays the same from the first step of a run to its last."""

  config: ml_collections.ConfigDict
  folder: RunFolder
  networks: Networks
  mesh: Mesh
  schedule: tuple[Segment, ...]
  checkpoints: Checkpoints
  owner: Owner | None

  @property
  def images(self) -> int:
    """Images seen when the run is over."""
    return self.schedule[-1].end

  @property
  def places(self) -> TrainState:
    """The sharding of every leaf of the state."""
    layout = sharding.Layout(self.mesh, self.config.train.shard)
    return state_lib.places(self.networks, layout)

  def check_owner(self) -> None:
    """Asks whether the folder is still ours; ask before writing to it.

    Raises:
      LostFolder: it is not, and nothing more is saved there.
    """
    if self.owner is not None:
      try:
        self.owner.check()
      except LostFolder:
        self.checkpoints.lose()
        raise


def settle_config(
  config: ml_collections.ConfigDict,
  folder: RunFolder,
  stored: ml_collections.ConfigDict | None,
  change: bool,
) -> ml_collections.ConfigDict:
  """Checks everything that can be wrong, and writes nothing.

  Args:
    config: as the user gave it.
    folder: of the run.
    stored: the config of the run that it holds.
    change: whether the run may go on with other values.

  Returns:
    The config under which the run begins or goes on.
  """
  images_seen = newest_checkpoint(folder)
  # A run that has saved nothing may as well begin anew, with another config.
  continues = stored if images_seen is not None else None
  config = config_lib.resolve(config, jax.device_count(), continues, change)
  config_lib.validate(config, jax.device_count(), continues is not None)
  criteria.check_names(config)
  if continues is None:
    config = start.settle(config)
  elif change:
    config = config_lib.change(config, continues, folder.path, images_seen or 0)
  else:
    config_lib.check_continues(config, continues, folder.path)
  networks = build_networks(config)
  # What is missing is to be made at full size, so the last one comes first.
  found = [
    open_reals(config, networks.resolutions[segment.level])
    for segment in reversed(build_schedule(config))
  ]
  criteria.check(config, found[0])
  criteria.make_ready(config)
  return config


@contextlib.contextmanager
def own(
  folder: RunFolder, stored: ml_collections.ConfigDict | None
) -> Iterator[Owner | None]:
  """The run folder as this job's; the first process owns it for all.

  The others can't tell another job's writing from the first process's own: it
  alone looks, before any goes on.

  Args:
    folder: the run folder.
    stored: the config that was read there, on which the settings rest.

  Raises:
    UserError: in every process, where another job has it, or had it since.
  """
  with contextlib.ExitStack() as stack:
    owner, refusal = None, None
    if jax.process_index() == 0:
      try:
        owner = stack.enter_context(Owner(folder))
        if stored_config(folder) != stored:
          raise UserError(
            f'workdir {folder.path} has just changed: start again'
          )
      except UserError as error:
        refusal = error
    if jax.process_count() > 1:
      refused = multihost_utils.broadcast_one_to_all(refusal is not None)
      if refused and refusal is None:
        refusal = UserError(f'workdir {folder.path} belongs to another job')
    if refusal is not None:
      raise refusal
    yield owner


def open_run(
  config: ml_collections.ConfigDict, folder: RunFolder, owner: Owner | None
) -> Run:
  """Makes the folder, or opens what it holds, for writing."""
  if owner is not None:
    write_config(folder, config)
  return Run(
    config,
    folder,
    build_networks(config),
    sharding.global_mesh(),
    build_schedule(config),
    Checkpoints(
      folder.checkpoints, config.log.keep_last, config.log.keep_images
    ),
    owner,
  )


def run_at(run: Run, segment: Segment) -> Run:
  """The run as its config was while a segment is trained."""
  config = config_at(run.config, segment.start)
  return dataclasses.replace(
    run, config=config, networks=build_networks(config)
  )


def newest_checkpoint(folder: RunFolder) -> int | None:
  """Images seen at the newest whole checkpoint of a folder, or None.

  Raises:
    UserError: there are checkpoints, and all are damaged.
  """
  with contextlib.closing(
    Checkpoints(folder.checkpoints, read_only=True)
  ) as checkpoints:
    return checkpoints.newest_whole()


def how_to_go_on(saved: int | None) -> str:
  """What to say of a run that stops, by the images seen at what is saved."""
  if saved is None:
    return 'nothing is saved yet, so the same command begins anew'
  return (
    f'all is saved until {saved:,} images, and the same command goes on from '
    'there'
  )


def part(workdir: str) -> str:
  """Lets go of a run folder, from any thread, before the process ends.

  Returns:
    What is saved there, and how to go on.
  """
  folder = RunFolder(storage.locate(workdir))
  release(folder)
  return how_to_go_on(Checkpoints(folder.checkpoints, read_only=True).latest())


def restore_or_init(run: Run) -> tuple[TrainState, int, list[str]]:
  """The state of the newest whole checkpoint, or that of a beginning.

  Returns:
    The state, its images seen, and what to say of newer checkpoints: they are
    damaged, and renamed, so that their numbers can be saved again.
  """
  found, damaged = run.checkpoints.restore_newest(
    state_lib.abstract_state(run.networks, run.places)
  )
  if found is None:
    with progress.telling('making the first parameters'):
      return start.init_state(run.config, run.networks, run.places), 0, []
  said = []
  for error in damaged:
    if run.owner is not None:
      aside = run.checkpoints.set_aside(error.images_seen)
      said.append(f'{error}; it is {aside.name} now')
  images_seen, state = found
  return state, images_seen, said
