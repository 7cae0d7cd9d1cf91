"""What a run starts with: fresh weights, or those of another run."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from alae_jax import config as config_lib
from alae_jax.errors import UserError
from alae_jax.inference.loading import choose_checkpoint, load_state
from alae_jax.models.networks import Networks, Params, build_networks
from alae_jax.runs import hub_address
from alae_jax.runs import state as state_lib
from alae_jax.runs.checkpoint import Checkpoints
from alae_jax.runs.folder import open_folder
from alae_jax.runs.schedule import build_schedule, segment_at
from alae_jax.runs.state import TrainState

# Where these differ no weight fits; the other fields of the model say how many
# levels there are and how wide.
_SAME = (
  'kind',
  'channels',
  'hidden',
  'z_dim',
  'w_dim',
  'mapping_layers',
  'discriminator_layers',
)


def settle(config: ConfigDict) -> ConfigDict:
  """Fills in what follows from the run that train.init_from names.

  Args:
    config: of a new run, resolved; it is left as it is.

  Returns:
    A copy with the images seen in train.init_from, and with the level that
    the other run had reached in growth.first_level.

  Raises:
    UserError: there is no such run, or its weights don't fit.
  """
  if not config.train.init_from:
    return config
  if hub_address.is_address(config.train.init_from):
    raise UserError(
      f'config.train.init_from {config.train.init_from}: models on the hub are '
      'exported ones, of one kind of weights: name a run, which has both'
    )
  config = config.copy_and_resolve_references()
  path, images_seen = _split(config.train.init_from)
  try:
    folder = open_folder(path)
    source = config_lib.load(folder.config)
    there = Checkpoints(folder.checkpoints, read_only=True).all()
    images_seen = choose_checkpoint(folder, there, images_seen)
  except UserError as error:
    raise UserError(f'config.train.init_from: {error}') from error
  config.train.init_from = f'{path}@{images_seen}'
  if config.growth.images_per_level and not config.growth.first_level:
    reached = _level_at(source, images_seen)
    config.growth.first_level = min(reached, config.model.levels - 1)
  carry_over(_shapes(config), _shapes(source), source, config)
  return config


def init_state(
  config: ConfigDict, networks: Networks, places: TrainState
) -> TrainState:
  """The state of a run that has seen nothing.

  Args:
    config: of the run, settled.
    networks: that it describes.
    places: the sharding of every leaf.
  """
  state = state_lib.fresh_state(networks, config.train.seed, places)
  if not config.train.init_from:
    return state
  source = load_state(*_split(config.train.init_from))
  rows = np.minimum(np.arange(networks.layers), len(source.state.mean_w) - 1)
  # On the host: fresh leaves are on all devices, those on this process's own.
  there = jax.device_get(source.state)
  taken = {
    'params': carry_over(state.params, there.params, source.config, config),
    'ema': carry_over(state.ema, there.ema, source.config, config),
    'mean_w': there.mean_w[rows],
  }
  # Under jit no two leaves share a buffer, as the step's donation wants it.
  copy = jax.jit(
    functools.partial(jax.tree.map, jnp.copy),
    out_shardings={name: getattr(places, name) for name in taken},
  )
  return dataclasses.replace(state, **copy(taken))


def carry_over(
  params: Params, source: Params, source_config: ConfigDict, config: ConfigDict
) -> Params:
  """Weights of another run in the place of fresh ones.

  Levels that the other run lacks stay fresh; levels that this one lacks are
  left out.

  Args:
    params: of the new run, or their shapes.
    source: of the other run.
    source_config: of the other run.
    config: of the new run.

  Raises:
    UserError: names the field by which the shapes differ.
  """
  begins = f'config.train.init_from {config.train.init_from}: '
  for field in _SAME:
    there, here = source_config.model[field], config.model[field]
    if there != here:
      raise UserError(
        f'{begins}model.{field} is {there!r} there and {here!r} here, so its '
        'weights do not fit'
      )
  known = dict(jax.tree_util.tree_leaves_with_path(source))

  def take(path, leaf):
    found = known.get(path)
    if found is None:
      return leaf
    if found.shape != leaf.shape:
      raise UserError(
        f'{begins}{jax.tree_util.keystr(path, simple=True, separator=".")} is '
        f'{list(found.shape)} there and {list(leaf.shape)} here: '
        + _how_to_fit(source_config.model, config.model)
      )
    return found

  return jax.tree_util.tree_map_with_path(take, params)


def _how_to_fit(there: ConfigDict, here: ConfigDict) -> str:
  """Widths double from the last level down, so it is the narrowest."""
  if there.levels == here.levels == 1:
    return f'give model.resolution={there.resolution}'
  base = there.base_channels * 2.0 ** (there.levels - here.levels)
  if base < 1:
    most = there.levels + there.base_channels.bit_length() - 1
    return f'at most {most} levels fit'
  return (
    f'give model.base_channels={base:g} and '
    f'model.max_channels={there.max_channels}'
  )


def _level_at(config: ConfigDict, images_seen: int) -> int:
  """The level that a run had reached; the one below while it fades in."""
  segment = segment_at(build_schedule(config), images_seen - 1)
  return segment.level - (segment.blend(images_seen) < 1)


def _shapes(config: ConfigDict) -> Params:
  return jax.eval_shape(build_networks(config).init, jax.random.key(0))


def _split(init_from: str) -> tuple[str, int | None]:
  """'RUN@640' -> ('RUN', 640); 'RUN' -> ('RUN', None)."""
  path, at, images = init_from.rpartition('@')
  return (path, int(images)) if at and images.isdecimal() else (init_from, None)
