"""What a config would train, without training it."""

import jax
import ml_collections
import numpy as np

from alae_jax import config as config_lib
from alae_jax import sharding
from alae_jax.data.dataset import Dataset
from alae_jax.data.datasets import Missing
from alae_jax.models.networks import Networks, build_networks
from alae_jax.runs import state as state_lib
from alae_jax.runs.schedule import Segment, build_schedule
from alae_jax.training import costs, criteria, start
from alae_jax.training.advice import advise
from alae_jax.training.reals import Reals, open_reals
from alae_jax.training.telemetry import describe_machine, describe_parameters


def describe(config: ml_collections.ConfigDict) -> str:
  """The config, devices, data, parameters, memory, steps and warnings as text.

  Raises:
    UserError: the config can't be trained on the devices at hand, or not on
      the dataset that is there.
  """
  config = config_lib.resolve(config, jax.device_count())
  config_lib.validate(config, jax.device_count())
  criteria.check_names(config)
  config = start.settle(config)
  networks, schedule = build_networks(config), build_schedule(config)
  layout = sharding.Layout(sharding.global_mesh(), config.train.shard)
  state = state_lib.abstract_state(networks, state_lib.places(networks, layout))
  reals, data = _look_for_data(config, networks, schedule)
  warnings = advise(config, networks.resolutions, schedule, reals)
  return '\n'.join(
    [
      'config:',
      *(f'  {k} = {v!r}' for k, v in config_lib.flatten(config).items()),
      describe_machine(),
      data,
      describe_parameters(state.params),
      _describe_memory(state),
      'steps:',
      *(_describe_segment(networks, segment) for segment in schedule),
      *_describe_costs(config, schedule),
      *(f'warning: {line}' for line in warnings),
    ]
  )


def _look_for_data(
  config: ml_collections.ConfigDict,
  networks: Networks,
  schedule: tuple[Segment, ...],
) -> tuple[Reals | None, str]:
  """The dataset at the last resolution that is trained, and a line on it."""
  try:
    # From the last one, since what is missing is to be made at full size.
    found = [
      open_reals(config, networks.resolutions[segment.level])
      for segment in reversed(schedule)
    ]
  except Missing as missing:
    return None, f'data: {missing}'
  criteria.check(config, found[0])
  test = found[0].test
  tested = _count(test, 'test') if test is not None else 'no test'
  sides = ', '.join(f'{r.train.resolution}x{r.train.resolution}' for r in found)
  return found[0], (
    f'data: {config.data.name}, {_count(found[0].train, "train")} and {tested} '
    f'images with {found[0].train.channels} channel(s), {sides}'
  )


def _count(dataset: Dataset, split: str) -> str:
  return f'{len(dataset):,} {split}'


def _describe_memory(state: state_lib.TrainState) -> str:
  size = sum(
    int(np.prod(leaf.sharding.shard_shape(leaf.shape))) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(state)
  )
  return (
    f'memory: {size / 2**20:,.1f} MiB on every device for the parameters, '
    "their moving average and the optimizer's moments; activations and the "
    'compiled step come on top'
  )


def _describe_costs(
  config: ml_collections.ConfigDict, schedule: tuple[Segment, ...]
) -> list[str]:
  """What was compiled ahead of time of such a config."""
  device = jax.devices()[0].device_kind
  found = costs.known(config, schedule, device, jax.device_count())
  if not found:
    return []
  return [
    'costs, by the compiler and the peaks of the devices:',
    *(f'  {costs.describe(row)}' for row in found),
  ]


def _describe_segment(networks: Networks, segment: Segment) -> str:
  side = networks.resolutions[segment.level]
  images = segment.end - segment.start
  return (
    f'  {side}x{side}: {images // segment.batch_size:,} steps of '
    f'{segment.batch_size} images ({segment.start:,} to '
    f'{segment.end:,}), learning rate {segment.learning_rate:g}'
  )
