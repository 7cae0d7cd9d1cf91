"""Eight virtual CPU devices, so that every test is a multi-device test."""

import jax
import pytest

from alae_jax import config as config_lib

jax.config.update('jax_num_cpu_devices', 8)


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


@pytest.fixture
def tiny_config():
  return make_tiny_config()
