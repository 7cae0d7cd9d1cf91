"""Configurations in files, and --config.section.field=value for them."""

import functools
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags
from etils import epath
from ml_collections import ConfigDict, config_flags

from alae_jax import storage
from alae_jax.config.defaults import default
from alae_jax.errors import UserError, reason

# What a run did that was made before these fields were.
BEFORE = {'train.ema_rampup': 0.0}


def read_config(path: str, overrides: Sequence[str] = ()) -> ConfigDict:
  """Loads a config file and overrides fields of it.

  Args:
    path: of a Python file with a function get_config(), or a run's
      config.json.
    overrides: --config.section.field=value, as on the command line.

  Raises:
    UserError: no such file, no such field or a value of another type.
  """
  located = storage.locate(path)
  if path.endswith('.json'):
    storage.require_file(located)
    return override(load(located), overrides)
  _check_words(overrides)
  path = os.fspath(located)
  if not path.endswith('.py') or not os.path.isfile(path):
    raise UserError(
      f'config {path} is neither a Python file nor a '
      "run's config.json: give one of experiments/, or your own"
    )
  config = _parse(
    config_flags.DEFINE_config_file,
    ['alae', f'--config={path}', *overrides],
    path,
  )
  _check_fields(config, path)
  return config


def override(config: ConfigDict, overrides: Sequence[str]) -> ConfigDict:
  """Sets fields of a config in place.

  Args:
    config: as `config.default` shapes it.
    overrides: --config.section.field=value, as on the command line.

  Returns:
    The config, locked.

  Raises:
    UserError: no such field or a value of another type.
  """
  _check_words(overrides)
  define = functools.partial(config_flags.DEFINE_config_dict, config=config)
  return _parse(define, ['alae', *overrides])


def load(path: epath.Path) -> ConfigDict:
  """Reads config.json; fields that it lacks take their default.

  Raises:
    UserError: it is not such a file, or has a field that does not exist.
  """
  try:
    sections = json.loads(path.read_text())
    values = {
      f'{section}.{field}': value
      for section, fields in sections.items()
      for field, value in fields.items()
    }
  except (OSError, ValueError, AttributeError) as error:
    raise UserError(f'{path} is not a config that alae wrote: {error}') from (
      error
    )
  config = default()
  for field, value in BEFORE.items():
    section, name = field.split('.')
    config[section][name] = value
  for field, value in values.items():
    try:
      section, name = field.split('.')
      config[section][name] = tuple(value) if isinstance(value, list) else value
    except (AttributeError, KeyError, TypeError, ValueError) as error:
      raise UserError(f'{path}: {field}: {reason(error)}') from error
  return config


def _check_fields(config: Any, path: str) -> None:
  """A config may be built from nothing, but must have every field."""
  given = config if isinstance(config, ConfigDict) else {}
  for section, fields in default().items():
    for field in fields:
      if field not in given.get(section, ()):
        raise UserError(
          f'get_config() of {path} gives no config.{section}.'
          f'{field}: start from alae_jax.config.default() or '
          'default_style()'
        )


def _check_words(overrides: Sequence[str]) -> None:
  for word in overrides:
    if word.startswith('-') and not word.startswith('--config.'):
      raise UserError(f'unknown argument {word}; see --help')


def _parse(
  define: Callable[..., Any], words: list[str], path: str = ''
) -> ConfigDict:
  """The config that a command line gives with a flag `config` as defined."""
  values = flags.FlagValues()
  try:
    define(name='config', lock_config=True, flag_values=values, sys_argv=words)
    rest = values(words)
    config = values['config'].value
  except (AttributeError, KeyError) as error:
    if 'get_config' in str(error):
      raise UserError(f'{path} has no function get_config()') from error
    raise UserError(f'no such config field: {reason(error)}') from error
  except (OSError, TypeError, ValueError, flags.Error) as error:
    raise UserError(reason(error)) from error
  except (ImportError, NameError, SyntaxError) as error:  # in the user's file
    raise UserError(
      f'{path} cannot be run: {type(error).__name__}: {reason(error)}'
    ) from error
  if len(rest) > 1:
    raise UserError(f'unexpected argument {rest[1]!r}; see --help')
  return config
