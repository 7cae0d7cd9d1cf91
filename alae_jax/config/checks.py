"""What a configuration may say: impossible values are refused at the start."""

import math
from collections.abc import Iterable
from typing import Any

from ml_collections import ConfigDict

from alae_jax.config import values
from alae_jax.config.defaults import flatten
from alae_jax.errors import UserError

# Far above what is trained (the release: 512 wide, 8 layers in F and 3 in D),
# and far below what would keep a machine busy for minutes before it fails.
_WIDEST = 2**14
_DEEPEST = 64
_SIDE = 1024  # of images
_BATCH = 2**20
_THREADS = 256
_NEVER = 2**63 - 1  # the most images that a file format counts


def validate(
  config: ConfigDict, devices: int = 1, continues: bool = False
) -> None:
  """Refuses a config that cannot be trained on so many devices.

  Args:
    config: as `default()` shapes it.
    devices: how many the batch is split over.
    continues: whether it is that of a run which goes on, and so keeps its
      batch sizes.

  Raises:
    UserError: names the first wrong field, its value and what is allowed.
  """
  _check(
    config, 'data.name', _is_name(config.data.name), 'the name of a dataset'
  )
  _check(config, 'data.data_dir', bool(config.data.data_dir), 'a folder')
  _check_range(config, 'data.threads', 0, _THREADS)
  _check_range(config, 'data.workers', 0, _THREADS)
  _validate_model(config)
  _validate_train(config)
  _validate_growth(config)
  for field in config.log:
    _check_range(config, f'log.{field}', 1, _NEVER)
  _validate_evaluation(config)
  _validate_batches(config, devices, continues)


def _validate_evaluation(config: ConfigDict) -> None:
  evaluation = config.evaluation
  for field in ('every_images', 'real_images'):
    _check_range(config, f'evaluation.{field}', 0, _NEVER)
  _check(
    config,
    'evaluation.real_images',
    evaluation.real_images != 1,
    '0 for all, or 2 and more',
  )
  _check(
    config,
    'evaluation.every_images',
    bool(evaluation.every_images) or not evaluation.metrics,
    'above 0 with evaluation.metrics',
  )
  _check(
    config,
    'evaluation.metrics',
    bool(evaluation.metrics) or not evaluation.every_images,
    'one name or more with evaluation.every_images, such as (fid5k,)',
  )
  _check(
    config,
    'evaluation.keep_best',
    bool(evaluation.metrics) or not evaluation.keep_best,
    "'' without evaluation.metrics",
  )


def _validate_model(config: ConfigDict) -> None:
  model = config.model
  _check(
    config, 'model.kind', model.kind in _BACKBONES, ' or '.join(_BACKBONES)
  )
  _check(config, 'model.channels', model.channels in (1, 3), '1 or 3')
  for field in ('base_channels', 'max_channels', 'z_dim', 'w_dim'):
    _check_range(config, f'model.{field}', 1, _WIDEST)
  for field in ('mapping_layers', 'discriminator_layers'):
    _check_range(config, f'model.{field}', 1, _DEEPEST)
  _BACKBONES[model.kind](config)


def _validate_mlp(config: ConfigDict) -> None:
  model = config.model
  _check_range(config, 'model.resolution', 1, _SIDE)
  _check(config, 'model.levels', model.levels == 1, '1 for an mlp')
  _check(
    config,
    'model.hidden',
    0 < len(model.hidden) <= _DEEPEST
    and all(_is_count(width, _WIDEST) for width in model.hidden),
    f'1 to {_DEEPEST} whole numbers from 1 to {_WIDEST:,}',
  )
  _check(
    config,
    'train.style_mixing_probability',
    config.train.style_mixing_probability == 0,
    '0 for an mlp, which has one style',
  )
  _check(
    config,
    'train.remat_resolution',
    config.train.remat_resolution == 0,
    '0 for an mlp, which keeps no maps',
  )
  _check(
    config,
    'growth.images_per_level',
    config.growth.images_per_level == 0,
    '0 for an mlp',
  )


def _validate_style(config: ConfigDict) -> None:
  model = config.model
  _check(
    config,
    'model.levels',
    2 <= model.levels <= 9,
    'from 2 (8x8) to 9 (1024x1024)',
  )
  side = 4 << (model.levels - 1)
  _check(
    config,
    'model.resolution',
    model.resolution in (0, side),
    f'0, or {side} with model.levels={model.levels}',
  )


_BACKBONES = {'mlp': _validate_mlp, 'style': _validate_style}


def _validate_train(config: ConfigDict) -> None:
  train = config.train
  for field, value in train.items():
    if isinstance(value, float):
      _check(config, f'train.{field}', math.isfinite(value), 'finite')
  for field in ('learning_rate', 'ema_half_life'):
    _check(config, f'train.{field}', train[field] > 0, 'above 0')
  # They are counted in 32 bits, up to a last step beyond them.
  _check_range(config, 'train.remat_resolution', 0, 1024)
  _check_range(config, 'train.images', 1, 2_000_000_000)
  _check_range(config, 'train.batch_size', 1, _BATCH)
  _check(config, 'train.seed', 0 <= train.seed < 2**32, 'in [0, 2^32)')
  _check(config, 'train.r1_gamma', train.r1_gamma >= 0, '0 or more')
  _check(
    config,
    'train.compute_dtype',
    train.compute_dtype in ('float32', 'bfloat16'),
    'float32 or bfloat16',
  )
  _check(
    config,
    'train.shard',
    train.shard in ('none', 'state', 'all'),
    'none, state or all',
  )
  _check(config, 'train.adam_beta2', 0 <= train.adam_beta2 < 1, 'in [0, 1)')
  for field in ('mean_w_beta', 'style_mixing_probability', 'ema_rampup'):
    _check(config, f'train.{field}', 0 <= train[field] <= 1, 'in [0, 1]')


def _validate_growth(config: ConfigDict) -> None:
  growth = config.growth
  _check_range(config, 'growth.images_per_level', 0, _NEVER)
  _check_range(config, 'growth.first_level', 0, config.model.levels - 1)
  for field, fits, kind in (
    ('batch_sizes', _is_batch, f'whole numbers from 1 to {_BATCH:,}'),
    ('learning_rates', _is_rate, 'numbers above 0'),
  ):
    table = growth[field]
    _check(
      config,
      f'growth.{field}',
      len(table) <= config.model.levels and all(map(fits, table)),
      f'at most model.levels ({config.model.levels}) {kind}',
    )


def _validate_batches(
  config: ConfigDict, devices: int, continues: bool
) -> None:
  field, sizes = 'growth.batch_sizes', tuple(config.growth.batch_sizes)
  if not sizes:
    field, sizes = 'train.batch_size', (config.train.batch_size,)
  if all(size % devices == 0 for size in sizes):
    return _validate_microbatches(config, math.gcd(*sizes) // devices, devices)
  if continues:
    fit = _counted(n for n in range(1, devices) if math.gcd(*sizes) % n == 0)
    remedy = (
      f'; this run can go on with {fit} of them: hide the others with '
      'CUDA_VISIBLE_DEVICES or TPU_VISIBLE_DEVICES, or all with '
      'JAX_PLATFORMS=cpu'
    )
  else:
    near = tuple(math.ceil(size / devices) * devices for size in sizes)
    remedy = f', such as {near if len(near) > 1 else near[0]}'
  _check(config, field, False, f'divisible by the {devices} devices{remedy}')


def _validate_microbatches(config: ConfigDict, rows: int, devices: int) -> None:
  """Refuses parts of a batch that do not divide the rows of a device."""
  parts = config.train.microbatches
  if parts > 0 and rows % parts == 0:
    return
  fit = _counted(n for n in range(1, rows + 1) if rows % n == 0)
  whose = f'each of the {devices} devices' if devices > 1 else 'the device'
  _check(
    config,
    'train.microbatches',
    False,
    f'{fit}, so that it divides the batch of {whose}',
  )


def _counted(numbers: Iterable[int]) -> str:
  """'1', '1 or 2' or '1, 2 or 4'."""
  *others, last = map(str, numbers)
  return f'{", ".join(others)} or {last}' if others else last


def _is_name(name: str) -> bool:
  return name.isprintable() and name not in ('', '.', '..') and '/' not in name


def _is_count(value: Any, most: int) -> bool:
  return isinstance(value, int) and 0 < value <= most


def _is_batch(value: Any) -> bool:
  return _is_count(value, _BATCH)


def _is_rate(value: Any) -> bool:
  return isinstance(value, int | float) and 0 < value < math.inf


def _check_range(config: ConfigDict, field: str, least: int, most: int) -> None:
  value = flatten(config)[field]
  _check(config, field, least <= value <= most, f'from {least} to {most:,}')


def _check(config: ConfigDict, field: str, holds: bool, allowed: str) -> None:
  if not holds:
    raise UserError(values.wrong(field, flatten(config)[field], allowed))
