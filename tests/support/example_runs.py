"""Run folders and models that are made, not trained."""

import functools

import jax
import numpy as np
from etils import epath

from alae_jax import config as config_lib
from alae_jax.inference.model import Model
from alae_jax.models.networks import build_networks
from alae_jax.runs import state as state_lib
from alae_jax.runs.checkpoint import Checkpoints
from alae_jax.runs.folder import RunFolder, write_config
from tests.support.runs import make_tiny_config


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


def make_state(config, scale=1.0):
  """A state of random weights, whose noise is heard, as numpy arrays.

  With a smaller scale than 1 of the kernels, images reach less far.

  Initialising a network takes long to compile; its shapes do not.
  """
  networks, rng = build_networks(config), np.random.default_rng(0)
  shapes = jax.eval_shape(functools.partial(state_lib.init_state, networks, 0))

  def draw(path, leaf):
    names = [key.key for key in path]
    spread = {'kernel': scale, 'const': 1.0, 'noise_weight': 0.2}.get(
      names[-1], 0.0
    )
    # The kernels of F are stored as N(0, 100) and used times 0.1.
    spread *= 10.0 if names[0] == 'mapping' else 1.0
    return np.float32(spread) * rng.normal(size=leaf.shape).astype(np.float32)

  params = jax.tree_util.tree_map_with_path(draw, shapes.params)
  zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
  return zeros.replace(params=params, ema=params, mean_w=zeros.mean_w + 0.1)


def style_model():
  """A StyleALAE with random weights, at its last level."""
  config = make_style_config()
  state = make_state(config)
  return Model(config, build_networks(config), state.ema, state.mean_w)


def write_run(workdir, config, images_seen=None, scale=1.0):
  """Writes a run folder with one checkpoint of random weights, the first."""
  folder = RunFolder(epath.Path(workdir))
  write_config(folder, config)
  checkpoints = Checkpoints(folder.checkpoints)
  checkpoints.save(
    make_state(config, scale), images_seen or config.train.batch_size
  )
  checkpoints.close()
  return str(workdir)


def mlp_run(workdir):
  """An MLP-ALAE for the 8x8 digits."""
  return write_run(workdir, make_tiny_config())


def style_run(workdir, **settings):
  """A StyleALAE, 16x16 RGB with 6 layers unless said."""
  return write_run(workdir, make_style_config(**settings))


def growing_run(workdir, images_seen):
  """A StyleALAE, 4x4 to 32x32 grey, whose newest checkpoint is so far.

  It sees 160 images a level, of which the first 80 fade it in.
  """
  config = make_style_config(levels=4, channels=1)
  config.growth.images_per_level = 160
  config.growth.batch_sizes = (16,)
  config.train.images = 640
  return write_run(workdir, config, images_seen)
