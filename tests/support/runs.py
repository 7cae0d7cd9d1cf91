"""Small runs, and what they end with."""

import jax
import numpy as np

from alae_jax import config as config_lib
from alae_jax.models.networks import build_networks
from alae_jax.runs import state as state_lib
from alae_jax.runs.checkpoint import Checkpoints
from alae_jax.runs.folder import open_folder
from alae_jax.training import hooks


def make_tiny_config():
  """A digits run of a few steps that eight devices can share."""
  config = config_lib.default()
  config.data.name = 'digits'
  config.model.resolution = 8
  config.model.hidden = (16, 16)
  config.model.z_dim = 4
  config.model.w_dim = 6
  config.model.mapping_layers = 2
  config.train.images = 96
  config.train.batch_size = 16
  config.log.metrics_images = 32
  config.log.pictures_images = 64
  config.log.checkpoint_images = 32
  return config


def final_state(workdir):
  """The train state of a run's newest checkpoint."""
  folder = open_folder(str(workdir))
  checkpoints = Checkpoints(folder.checkpoints, read_only=True)
  networks = build_networks(config_lib.load(folder.config))
  state = checkpoints.restore(
    checkpoints.latest(),
    state_lib.abstract_state(
      networks, jax.sharding.SingleDeviceSharding(jax.devices()[0])
    ),
  )
  checkpoints.close()
  return state


def assert_identical(one, other):
  """Every leaf, to the last bit."""
  jax.tree.map(np.testing.assert_array_equal, one, other)


def stop_after(monkeypatch, images, action):
  """Makes `action` happen after the step that reaches `images`."""
  after_step = hooks.Watch.after_step

  def disturbed(self, state, metrics, images_seen, stop):
    stop = after_step(self, state, metrics, images_seen, stop)
    if images_seen == images:
      action()
    return stop

  monkeypatch.setattr(hooks.Watch, 'after_step', disturbed)
