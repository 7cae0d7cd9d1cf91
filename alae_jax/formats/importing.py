"""A checkpoint of the authors' release becomes a run folder."""

import os
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from alae_jax import config as config_lib
from alae_jax import sharding, storage
from alae_jax.config.files import override
from alae_jax.errors import UserError, printable
from alae_jax.formats import import_folder
from alae_jax.formats.release_file import (
  ReleaseCheckpoint,
  read_release_checkpoint,
)
from alae_jax.models.networks import build_networks
from alae_jax.runs import state as state_lib
from alae_jax.runs.folder import RunFolder
from alae_jax.runs.optimizer import init_optimizer

# What the tensors or the import itself settle.
_FIXED = ('model.', 'growth.')


def import_checkpoint(
  checkpoint: str,
  workdir: str,
  weights: str = 'ema',
  overrides: Sequence[str] = (),
) -> ConfigDict:
  """Makes a run folder of a checkpoint of the release.

  The run counts images from the import on, and trains the last level. Its
  optimizer begins afresh.

  Args:
    checkpoint: a file, local or remote.
    workdir: a folder that does not exist, is empty, or holds what is left of
      an import that was killed.
    weights: 'ema' or 'live', what the model uses unless told otherwise.
    overrides: --config.section.field=value.

  Returns:
    The config of the run.

  Raises:
    UserError: the checkpoint, the folder or an override can't be used.
  """
  folder = RunFolder(storage.locate(workdir))
  import_folder.require_free(folder)
  release = read_release_checkpoint(checkpoint)
  config = build_config(release.model, weights, overrides)
  import_folder.write_run(
    folder,
    config,
    build_state(config, release),
    _describe(checkpoint, config, release),
  )
  return config


def build_config(
  model: dict[str, Any], weights: str, overrides: Sequence[str] = ()
) -> ConfigDict:
  """The config of an imported run.

  Args:
    model: the `model` fields.
    weights: 'ema' or 'live'.
    overrides: --config.section.field=value.

  Raises:
    UserError: an override is wrong or changes what the tensors settle.
  """
  config = config_lib.default_style(model['levels'])
  config.data.name = config_lib.UNNAMED
  config.model.update(model)
  config.train.batch_size = 32  # of the published recipes from 128x128 on
  config.train.images = 1_000_000
  config.train.ema_rampup = 0.0  # the file's EMA is settled and goes on
  config.evaluation.use_ema = weights == 'ema'
  settled = config_lib.flatten(config)
  config = override(config, overrides)
  for field, value in config_lib.flatten(config).items():
    if field.startswith(_FIXED) and value != settled[field]:
      raise UserError(
        f'config.{field} is {settled[field]!r} in an imported '
        'run and can not be set'
      )
  config_lib.validate(config)
  return config


def build_state(
  config: ConfigDict, release: ReleaseCheckpoint
) -> state_lib.TrainState:
  """The train state of a checkpoint, with a fresh optimizer."""
  params = jax.tree.map(jnp.asarray, release.params)
  state = state_lib.TrainState(
    images_seen=jnp.zeros((), jnp.int32),
    params=params,
    ema=jax.tree.map(jnp.array, release.ema),
    opt_state=init_optimizer(params),
    mean_w=jnp.asarray(release.mean_w),
  )
  wanted = state_lib.abstract_state(
    build_networks(config), sharding.replicated(sharding.local_mesh())
  )
  jax.tree.map(_check_leaf, state, wanted)
  return state


def _describe(
  checkpoint: str, config: ConfigDict, release: ReleaseCheckpoint
) -> str:
  """What was imported and what the model uses, in a line."""
  model = config.model
  side = 4 << (model.levels - 1)
  uses = (
    'the EMA networks' if config.evaluation.use_ema else 'the live networks'
  )
  if len(release.holds) == 1:
    uses = f'the {release.holds[0]} networks, the only ones in the file'
  return (
    f'{import_folder.NOTE}{printable(os.path.basename(checkpoint))}: '
    f'{side}x{side}, {model.levels} levels, w of {model.w_dim}; uses '
    f'{uses}'
  )


def _check_leaf(leaf: jax.Array, wanted: jax.ShapeDtypeStruct) -> None:
  assert (leaf.shape, leaf.dtype) == (wanted.shape, wanted.dtype)
