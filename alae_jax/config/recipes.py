"""Config files in Python: run, with one line for what goes wrong in them."""

import pathlib
import re
import runpy
import traceback
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from alae_jax.config import values
from alae_jax.config.defaults import default
from alae_jax.errors import UserError, reason

_LONGEST = 300  # of what the file's own errors say
_BASIS = 'start from alae_jax.config.default() or default_style()'

# The recipes are installed in the package; in a clone they are beside it.
_PACKAGE = pathlib.Path(__file__).parents[1]
_INSTALLED = _PACKAGE / 'experiments'
_CLONED = _PACKAGE.parent / 'experiments'


def shipped() -> dict[str, str]:
  """{'mnist': its path}: the recipes that alae_jax comes with, by name."""
  folder = _INSTALLED if _INSTALLED.is_dir() else _CLONED
  return {path.stem: str(path) for path in sorted(folder.glob('[!_]*.py'))}


def run_recipe(path: str) -> ConfigDict:
  """What get_config() of a Python file returns, which has every field.

  Raises:
    UserError: the file fails, and in which line, or gives something else.
  """
  try:
    names = runpy.run_path(path)
    config = names['get_config']() if 'get_config' in names else None
  except (Exception, SystemExit) as error:
    raise UserError(_told(path, error)) from error
  if 'get_config' not in names:
    raise UserError(f'{path} has no function get_config()')
  if not isinstance(config, ConfigDict):
    raise UserError(
      f'get_config() of {path} returns {_named(config)}, not a config: {_BASIS}'
    )
  for section, fields in default().items():
    given = config.get(section)
    for field in fields if isinstance(given, ConfigDict) else ['']:
      if given is None or field not in given:
        name = f'{section}.{field}'.removesuffix('.')
        raise UserError(
          f'get_config() of {path} gives no config.{name}: {_BASIS}'
        )
  if isinstance(config, FrozenConfigDict):
    return ConfigDict(config)
  return config


def _told(path: str, error: BaseException) -> str:
  """The file, the line in it and the error."""
  kind = type(error).__name__
  line = None
  for frame, number in traceback.walk_tb(error.__traceback__):
    if frame.f_code.co_filename == path:
      line = number
  message = _plain(reason(error)) or f'{kind}: {reason(error)[:_LONGEST]}'
  if message == f'{kind}: {kind}':  # an error without a word
    message = kind
  if isinstance(error, SyntaxError) and error.filename == path:
    line, message = error.lineno, f'{kind}: {error.msg}'
  return f'{path} line {line}: {message}' if line else f'{path}: {message}'


def _plain(message: str) -> str:
  """What ml_collections says at length, in our words; '' for anything else."""
  unknown = re.search(r'Key "([^"]*)" does not exist and', message)
  if unknown:
    return values.unknown(unknown[1])
  unfit = re.search(
    r"override field '(\w+)' \(reference\)\. (.*) is of original type "
    r"<class '(.*?)'>",
    message,
  )
  name, value, kind = unfit.groups() if unfit else ('', '', '')
  for field in values.DEFAULTS:
    if field.endswith(f'.{name}'):
      return (
        f'config.{field} is {value[:_LONGEST]}, of type {kind}: it must be '
        f'{values.wanted(field)}'
      )
  return ''


def _named(value: Any) -> str:
  return 'nothing' if value is None else f'a {type(value).__name__}'
