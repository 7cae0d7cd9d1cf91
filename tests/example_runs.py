"""Run folders and models that are made, not trained."""

import functools

import jax
from etils import epath

from alae_jax import config as config_lib
from alae_jax import runs
from alae_jax import state as state_lib
from alae_jax.checkpoint import Checkpoints
from alae_jax.model import Model
from alae_jax.models.networks import build_networks
from tests.conftest import make_tiny_config


def make_style_config(levels=3, channels=3):
  """A StyleALAE that is as small as can be."""
  config = config_lib.default()
  config.data.name = 'digits'
  config.model.kind = 'style'
  config.model.levels = levels
  config.model.resolution = 4 << (levels - 1)
  config.model.channels = channels
  config.model.base_channels = 4
  config.model.max_channels = 8
  config.model.z_dim = 4
  config.model.w_dim = 6
  config.model.mapping_layers = 2
  config.train.batch_size = 16
  return config


def make_state(config):
  """A fresh state whose noise is heard and whose mean of w is not zero."""
  networks = build_networks(config)
  state = jax.jit(functools.partial(state_lib.init_state, networks, 0))()
  louder = jax.tree_util.tree_map_with_path(
      lambda path, leaf: leaf + 0.2
      if path[-1].key == 'noise_weight' else leaf, state.ema)
  return state.replace(ema=louder, mean_w=state.mean_w + 0.1)


def style_model():
  """A StyleALAE with random weights, at its last level."""
  config = make_style_config()
  state = make_state(config)
  return Model(config, build_networks(config), state.ema, state.mean_w)


def write_run(workdir, config):
  """Writes a run folder with one checkpoint of random weights."""
  folder = runs.RunFolder(epath.Path(workdir))
  runs.write_config(folder, config)
  checkpoints = Checkpoints(folder.checkpoints)
  checkpoints.save(make_state(config), config.train.batch_size)
  checkpoints.close()
  return str(workdir)


def mlp_run(workdir):
  """An MLP-ALAE for the 8x8 digits."""
  return write_run(workdir, make_tiny_config())


def style_run(workdir, **settings):
  """A StyleALAE, 16x16 RGB with 6 layers unless said."""
  return write_run(workdir, make_style_config(**settings))
