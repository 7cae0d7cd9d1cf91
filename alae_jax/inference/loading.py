"""Run folders and exported models opened for use rather than for training."""

import dataclasses
from typing import Any

import jax.numpy as jnp
from ml_collections import ConfigDict

from alae_jax import config as config_lib
from alae_jax import sharding
from alae_jax.errors import UserError
from alae_jax.inference.model import Model
from alae_jax.models.networks import Networks, build_networks
from alae_jax.runs import best as best_lib
from alae_jax.runs import exported as exported_lib
from alae_jax.runs import records
from alae_jax.runs import state as state_lib
from alae_jax.runs.checkpoint import (
  Checkpoints,
  DamagedCheckpoint,
  list_some,
)
from alae_jax.runs.folder import RunFolder, open_folder
from alae_jax.runs.schedule import build_schedule, segment_at, steps_at

BEST = 'best'


@dataclasses.dataclass(frozen=True)
class LoadedRun:
  """A model and where it comes from.

  Attributes:
    folder: of the run, or of the exported model.
    model: at the level that the run had reached.
    images_seen: of the checkpoint.
    step: likewise.
    weights: 'ema' or 'live'.
  """

  folder: RunFolder
  model: Model
  images_seen: int
  step: int
  weights: str


@dataclasses.dataclass(frozen=True)
class StoredState:
  """A checkpoint without its optimizer, and what it takes to use it.

  Attributes:
    config: of the run.
    networks: that the config describes.
    state: with the live networks and their moving average, or one of them;
      the other, and the optimizer's state, are {}.
    images_seen: of the checkpoint.
  """

  config: ConfigDict
  networks: Networks
  state: state_lib.TrainState
  images_seen: int


def load(
  path: str, checkpoint: int | str | None = None, weights: str | None = None
) -> Model:
  """The model of a run folder, or of one that `alae export` wrote.

  Args:
    path: of the folder, local or remote; or hf://USER/NAME, a model on the
      Hugging Face hub, or hf://USER/NAME@REVISION.
    checkpoint: images seen, 'best', or None for the newest.
    weights: 'ema', 'live', or None for what config.evaluation.use_ema says. An
      exported folder holds one checkpoint and one kind of weights.

  Raises:
    UserError: the folder holds no model, or not that one, or can't be had.
  """
  return load_run(path, checkpoint, weights).model


def load_run(
  path: str, checkpoint: int | str | None = None, weights: str | None = None
) -> LoadedRun:
  """Like `load`, with the checkpoint's place in the run."""
  if weights not in (None, 'ema', 'live'):
    raise UserError(f"weights {weights!r}: give 'ema' or 'live'")
  folder, config = _open(path)
  facts = exported_lib.read_facts(folder)
  if facts is not None:
    _refuse_others(folder, facts, checkpoint, weights)
    return _load_exported(folder, config, facts)
  weights = weights or default_weights(config)
  stored = _restore(folder, config, checkpoint, weights)
  images_seen = stored.images_seen
  model = model_of(config, stored.networks, stored.state, images_seen, weights)
  step = steps_at(build_schedule(config), images_seen)
  return LoadedRun(folder, model, images_seen, step, weights)


def _load_exported(
  folder: RunFolder, config: ConfigDict, facts: exported_lib.Facts
) -> LoadedRun:
  """What was exported, as it was loaded from its run."""
  networks = build_networks(config)
  if facts.level >= networks.levels:
    raise UserError(
      f'{folder.config}: exported.level is {facts.level}, and the model has '
      f'levels 0 to {networks.levels - 1}'
    )
  params, mean_w = exported_lib.read_weights(folder, facts, networks)
  model = Model(
    config,
    networks,
    params,
    jnp.asarray(mean_w),
    facts.level,
    facts.blend,
    images_seen=facts.images_seen,
    weights=facts.weights,
    address=folder.address,
  )
  step = steps_at(build_schedule(config), facts.images_seen)
  return LoadedRun(folder, model, facts.images_seen, step, facts.weights)


def _refuse_others(
  folder: RunFolder,
  facts: exported_lib.Facts,
  checkpoint: int | str | None,
  weights: str | None,
) -> None:
  """Refuses what a run has and its exported model has not."""
  if checkpoint not in (None, facts.images_seen):
    raise UserError(
      f'checkpoint {checkpoint!r}: {folder.name} is an exported model, after '
      f'{facts.images_seen} images seen: its run has the others'
    )
  if weights not in (None, facts.weights):
    raise UserError(
      f'weights {weights}: {folder.name} is an exported model, of the '
      f'{facts.weights} weights: its run has both'
    )


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


def load_state(path: str, checkpoint: int | str | None = None) -> StoredState:
  """A checkpoint of a run folder, both networks, on this process's devices.

  Args:
    path: of the folder.
    checkpoint: images seen, 'best', or None for the newest.

  Raises:
    UserError: the folder holds no model, or not that one, or an exported one.
  """
  folder, config = _open(path)
  facts = exported_lib.read_facts(folder)
  if facts is not None:
    raise UserError(
      f'{path} is an exported model, of the {facts.weights} weights alone: '
      'give its run, which has both'
    )
  return _restore(folder, config, checkpoint)


def _open(path: str) -> tuple[RunFolder, ConfigDict]:
  folder = open_folder(path)
  config = config_lib.load(folder.config)
  config_lib.validate(config)
  return folder, config


def _restore(
  folder: RunFolder,
  config: ConfigDict,
  checkpoint: int | str | None,
  weights: str | None = None,
) -> StoredState:
  """Reads what is needed: the weights asked for, or both, and mean_w."""
  checkpoints = Checkpoints(folder.checkpoints, read_only=True)
  images_seen = choose_checkpoint(folder, checkpoints.all(), checkpoint)
  networks = build_networks(config)
  unread: dict[str, Any] = {'opt_state': {}}
  if weights is not None:
    unread['params' if weights == 'ema' else 'ema'] = {}
  wanted = dataclasses.replace(
    state_lib.abstract_state(
      networks, sharding.replicated(sharding.local_mesh())
    ),
    **unread,
  )
  try:
    state = checkpoints.restore(images_seen, wanted)
  except DamagedCheckpoint as error:
    others = [number for number in checkpoints.all() if number != images_seen]
    raise UserError(
      f'{error}; the others there: {list_some(others)}'
    ) from error
  return StoredState(config, networks, state, images_seen)


def choose_checkpoint(
  folder: RunFolder, there: list[int], checkpoint: int | str | None
) -> int:
  """The checkpoint asked for, by images seen or as 'best', or the newest.

  Raises:
    UserError: there is none, or another; says which there are.
  """
  if not there and config_lib.exported(folder.config) is not None:
    raise UserError(f'{folder.path} is an exported model: name its run')
  if not there:
    raise UserError(f'{folder.path} has no checkpoint yet: train it first')
  if checkpoint is None:
    return there[-1]
  if checkpoint == BEST:
    return _best(folder, there)
  number = isinstance(checkpoint, int) and not isinstance(checkpoint, bool)
  if not number or checkpoint not in there:
    raise UserError(
      f'checkpoint {checkpoint!r}: {folder.path} has those after '
      f'{list_some(there)} images seen'
    )
  return checkpoint


def _best(folder: RunFolder, there: list[int]) -> int:
  """The checkpoint that a run has kept for its number."""
  number = config_lib.load(folder.config).evaluation.keep_best
  if not number:
    raise UserError(
      f'checkpoint best: {folder.path} keeps none: train it with '
      'config.evaluation.keep_best, or name one by its images seen: it has '
      f'those after {list_some(there)}'
    )
  found = best_lib.find(records.read(folder.metrics), number, there)
  if found is None:
    raise UserError(
      f'checkpoint best: {folder.metrics} has no {number} of a checkpoint that '
      'is there'
    )
  return found.images_seen
