"""What a config would train, without training it."""

import jax
import ml_collections
import numpy as np

from alae_jax import config as config_lib
from alae_jax import sharding
from alae_jax.metrics import evaluate as evaluate_lib
from alae_jax.models.networks import Networks, build_networks
from alae_jax.runs import state as state_lib
from alae_jax.runs.schedule import Segment, build_schedule
from alae_jax.training.telemetry import describe_machine, describe_parameters


def describe(config: ml_collections.ConfigDict) -> str:
  """The resolved config, devices, parameters, memory and steps, as text.

  Raises:
    UserError: the config can't be trained on the devices at hand.
  """
  config = config_lib.resolve(config, jax.device_count())
  config_lib.validate(config, jax.device_count())
  evaluate_lib.check_names(config.evaluation.at_end)
  networks = build_networks(config)
  state = state_lib.abstract_state(
    networks, sharding.replicated(sharding.global_mesh())
  )
  size = sum(
    int(np.prod(leaf.shape)) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(state)
  )
  fields = [
    f'  {field} = {value!r}'
    for field, value in config_lib.flatten(config).items()
  ]
  segments = [
    _describe_segment(networks, segment) for segment in build_schedule(config)
  ]
  return '\n'.join(
    [
      'config:',
      *fields,
      describe_machine(),
      describe_parameters(state.params),
      f'the train state takes {size / 2**20:,.1f} MiB on every device',
      'steps:',
      *segments,
    ]
  )


def _describe_segment(networks: Networks, segment: Segment) -> str:
  side = networks.resolutions[segment.level]
  images = segment.end - segment.start
  return (
    f'  {side}x{side}: {images // segment.batch_size:,} steps of '
    f'{segment.batch_size} images ({segment.start:,} to '
    f'{segment.end:,}), learning rate {segment.learning_rate:g}'
  )
