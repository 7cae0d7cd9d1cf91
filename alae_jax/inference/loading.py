"""Run folders opened for use rather than for training."""

import dataclasses

from ml_collections import ConfigDict

from alae_jax import config as config_lib
from alae_jax import sharding
from alae_jax.errors import UserError
from alae_jax.inference.model import Model
from alae_jax.models.networks import Networks, build_networks
from alae_jax.runs import state as state_lib
from alae_jax.runs.checkpoint import Checkpoints
from alae_jax.runs.folder import open_folder
from alae_jax.runs.schedule import build_schedule, segment_at, steps_at


@dataclasses.dataclass(frozen=True)
class LoadedRun:
  """A model and where it comes from.

  Attributes:
    model: at the level that the run had reached.
    images_seen: of the checkpoint.
    step: likewise.
    weights: 'ema' or 'live'.
  """

  model: Model
  images_seen: int
  step: int
  weights: str


@dataclasses.dataclass(frozen=True)
class StoredState:
  """All of a checkpoint, and what it takes to use it.

  Attributes:
    config: of the run.
    networks: that the config describes.
    state: with the live networks and their moving average.
    images_seen: of the checkpoint.
  """

  config: ConfigDict
  networks: Networks
  state: state_lib.TrainState
  images_seen: int


def load(path: str, weights: str | None = None) -> Model:
  """The model of a run folder, at its newest checkpoint.

  Args:
    path: of the folder, local or remote.
    weights: 'ema', 'live', or None for what config.evaluation.use_ema says.

  Raises:
    UserError: the folder holds no model.
  """
  return load_run(path, weights).model


def load_run(path: str, weights: str | None = None) -> LoadedRun:
  """Like `load`, with the checkpoint's place in the run."""
  stored = load_state(path)
  config, images_seen = stored.config, stored.images_seen
  weights = weights or default_weights(config)
  model = model_of(config, stored.networks, stored.state, images_seen, weights)
  step = steps_at(build_schedule(config), images_seen)
  return LoadedRun(model, images_seen, step, weights)


def model_of(
  config: ConfigDict,
  networks: Networks,
  state: state_lib.TrainState,
  images_seen: int,
  weights: str,
) -> Model:
  """The model that a run is at a state: for pictures, metrics and users alike.

  Args:
    config: of the run, validated.
    networks: that it describes.
    state: of the run.
    images_seen: by the state.
    weights: 'ema' or 'live', see `default_weights`.

  Returns:
    A model on this process's devices, at the level that the state was trained
    at and as far faded in. The state after a level's last step is still of that
    level.
  """
  segment = segment_at(build_schedule(config), images_seen - 1)
  params = {'ema': state.ema, 'live': state.params}[weights]
  return Model(
    config,
    networks,
    params,
    state.mean_w,
    segment.level,
    segment.blend(images_seen),
    images_seen=images_seen,
    weights=weights,
  )


def default_weights(config: ConfigDict) -> str:
  """'ema' or 'live': which weights a run is judged by, as its config says."""
  return 'ema' if config.evaluation.use_ema else 'live'


def load_state(path: str, checkpoint: int | None = None) -> StoredState:
  """A checkpoint of a run folder, whole, on this process's devices.

  Args:
    path: of the folder.
    checkpoint: images seen; None for the newest.

  Raises:
    UserError: the folder holds no model.
  """
  folder = open_folder(path)
  config = config_lib.load(folder.config)
  config_lib.validate(config)
  networks = build_networks(config)
  checkpoints = Checkpoints(folder.checkpoints, read_only=True)
  images_seen = checkpoints.latest() if checkpoint is None else checkpoint
  if images_seen is None:
    raise UserError(f'{path} has no checkpoint yet: train it first')
  state = checkpoints.restore(
    images_seen,
    state_lib.abstract_state(
      networks, sharding.replicated(sharding.local_mesh())
    ),
  )
  checkpoints.close()
  return StoredState(config, networks, state, images_seen)
