"""How a config goes on from the one of its run, or from its machine."""

from typing import Any

from etils import epath
from ml_collections import ConfigDict

from alae_jax.config import values
from alae_jax.config.defaults import UNNAMED, default, flatten
from alae_jax.errors import UserError

# May differ when a run is continued: where data lies, how the work is divided
# and how often one looks at a run do not change what it computes, but for
# rounding.
_FREE_FIELDS = (
  'data.data_dir',
  'data.threads',
  'data.workers',
  'train.microbatches',
  'train.shard',
  'train.remat_resolution',
  'log.',
  'evaluation.',
  'history.',
)

# Until the dataset of an imported run is named nothing is trained, so how to
# train is open too.
_FREE_WHEN_UNNAMED = ('data.', 'train.')

# May change while a run goes on, if the user says so: everything that shapes
# neither the state nor which images are seen.
CHANGEABLE = (
  'data.flip',
  'train.images',
  'train.batch_size',
  'train.learning_rate',
  'train.compute_dtype',
  'train.r1_gamma',
  'train.adam_beta2',
  'train.ema_half_life',
  'train.ema_rampup',
  'train.mean_w_beta',
  'train.style_mixing_probability',
  'train.latent_step_updates_mapping',
  'growth.images_per_level',
  'growth.batch_sizes',
  'growth.learning_rates',
)

_DEFAULT_RAMPUP = default().train.ema_rampup


def resolve(
  config: ConfigDict,
  devices: int,
  stored: ConfigDict | None = None,
  changes: bool = False,
) -> ConfigDict:
  """Fills in what follows from the machine.

  Args:
    config: as the user gave it.
    devices: how many there are.
    stored: the config of the run that is continued, which has been resolved;
      it wins, so that a run may go on with other devices.
    changes: whether the user means every value that differs.

  Returns:
    A copy with every field of its type and train.batch_size above 0.

  Raises:
    UserError: a value is of another type.
  """
  config = values.conform(config.to_dict())
  if config.train.batch_size == 0:
    config.train.batch_size = stored.train.batch_size if stored else 4 * devices
  if stored:
    _keep_what_was_resolved(config, stored)
    # A run of before goes on without the bound, which is now the default.
    unmeant = not changes and config.train.ema_rampup == _DEFAULT_RAMPUP
    if unmeant and not stored.train.ema_rampup:
      config.train.ema_rampup = 0.0
  return config


def _keep_what_was_resolved(config: ConfigDict, stored: ConfigDict) -> None:
  """What a run has settled for good, where the user says nothing else."""
  config.history.changes = stored.history.changes
  train = config.train
  if train.init_from == stored.train.init_from.rpartition('@')[0]:
    train.init_from = stored.train.init_from
  if (
    train.init_from == stored.train.init_from and not config.growth.first_level
  ):
    config.growth.first_level = stored.growth.first_level


def check_continues(
  config: ConfigDict, stored: ConfigDict, where: epath.Path
) -> None:
  """Refuses to continue a run under another config.

  A larger train.images only makes the run longer and is accepted.

  Args:
    config: what the user asks for.
    stored: what the run folder holds.
    where: the run folder, for the message.

  Raises:
    UserError: names every field that differs, with both values.
  """
  different = differences(config, stored)
  if not different:
    return
  advice = 'give the same config, or another run folder'
  if set(different) <= set(CHANGEABLE):
    advice += ', or --change to go on with the new values'
  raise UserError(
    f'{where} holds a run with another config ({_tell(different)}): {advice}'
  )


def change(
  config: ConfigDict, stored: ConfigDict, where: epath.Path, images_seen: int
) -> ConfigDict:
  """The config with which a run goes on under other values.

  Args:
    config: what the user asks for.
    stored: what the run folder holds.
    where: the run folder, for the message.
    images_seen: when it happens.

  Returns:
    `config`, whose history says what was changed.

  Raises:
    UserError: names the fields that can't change while a run goes on.
  """
  different = differences(config, stored)
  fixed = {
    field: values
    for field, values in different.items()
    if field not in CHANGEABLE
  }
  if fixed:
    raise UserError(
      f'{where} holds a run with another config ({_tell(fixed)}), which '
      '--change cannot change: to start another run with its weights give '
      f'another folder and --config.train.init_from={where}'
    )
  config.history.changes = (
    *config.history.changes,
    *(
      {'images_seen': images_seen, 'field': field, 'was': was, 'now': now}
      for field, (was, now) in different.items()
    ),
  )
  return config


def differences(
  config: ConfigDict, stored: ConfigDict
) -> dict[str, tuple[Any, Any]]:
  """What a run and the config that is to continue it disagree about.

  Returns:
    {field: (value there, value here)}, without what may differ unasked.
  """
  asked, had = flatten(config), flatten(stored)
  longer = asked['train.images'] >= had['train.images']
  free = _FREE_FIELDS + (
    _FREE_WHEN_UNNAMED if stored.data.name == UNNAMED else ()
  )
  return {
    field: (had[field], asked[field])
    for field in asked
    if asked[field] != had[field]
    and not field.startswith(free)
    and not (field == 'train.images' and longer)
  }


def _tell(different: dict[str, tuple[Any, Any]]) -> str:
  return '; '.join(
    f'{field} is {was!r} there and {now!r} here'
    for field, (was, now) in different.items()
  )
