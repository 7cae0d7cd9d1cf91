"""Configurations in files, and --config.section.field=value for them."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath
from ml_collections import ConfigDict

from alae_jax import storage
from alae_jax.config import values
from alae_jax.config.checks import validate
from alae_jax.config.continuing import resolve
from alae_jax.config.defaults import default
from alae_jax.config.recipes import run_recipe, shipped
from alae_jax.errors import UserError

_PREFIX = '--config.'

# The section of an exported model's config.json that is no run's.
_EXPORTED = 'exported'
# Fields that name a folder of the machine that the run was on.
_FOLDERS = ('data.data_dir', 'train.init_from')

# What a run did that was made before these fields were.
BEFORE = {'train.ema_rampup': 0.0}


def read_config(
  path: str, overrides: Sequence[str] | Mapping[str, Any] = ()
) -> ConfigDict:
  """Loads a config file and overrides fields of it.

  Args:
    path: of a Python file with a function get_config(), or a run's
      config.json; or the name of a recipe that alae_jax comes with.
    overrides: {'section.field': value}; or --config.section.field=value, as on
      the command line.

  Raises:
    UserError: no such file, no such field or a value of another type.
  """
  located = storage.locate(path)
  if path.endswith('.json'):
    return override(load(located), overrides)
  given = _read_overrides(overrides)
  recipes = shipped()
  path = recipes.get(path, os.fspath(located))
  if not path.endswith('.py') or not os.path.isfile(path):
    raise UserError(
      f"config {path} is neither a Python file nor a run's config.json nor a "
      f'recipe: the recipes are {", ".join(recipes)}'
    )
  config = run_recipe(path)
  # On the user's own config, in which fields may refer to each other.
  with config.unlocked(), config.ignore_type():
    _assign(config, given)
  try:
    return values.conform(config.to_dict())
  except UserError as error:
    raise UserError(f'{path}: {error}') from error


def override(
  config: ConfigDict, overrides: Sequence[str] | Mapping[str, Any]
) -> ConfigDict:
  """Sets fields of a config in place.

  Args:
    config: as `config.default` shapes it.
    overrides: as `read_config` takes them.

  Returns:
    The config, locked.

  Raises:
    UserError: no such field or a value of another type.
  """
  _assign(config, _read_overrides(overrides))
  return config.lock()


def load(path: epath.Path) -> ConfigDict:
  """Reads config.json; fields that it lacks take their default.

  What an exported model's says besides, see `exported`, is left out.

  Raises:
    UserError: it is not such a file, or has a field that does not exist or a
      value that is not allowed.
  """
  sections = _read_sections(path)
  sections.pop(_EXPORTED, None)
  for field, value in BEFORE.items():
    section, name = field.split('.')
    if isinstance(fields := sections.setdefault(section, {}), dict):
      fields.setdefault(name, value)
  try:
    config = values.conform(sections)
    validate(resolve(config, devices=1))
  except UserError as error:
    raise UserError(f'{path}: {error}') from error
  return config


def exported(path: epath.Path) -> Any:
  """What a config.json says of the weights beside it; None of a run's.

  Raises:
    UserError: it is not such a file.
  """
  return _read_sections(path).get(_EXPORTED)


def with_exported(config: ConfigDict, facts: dict[str, Any]) -> str:
  """The text of a config.json that says so, for others.

  Which folders of this machine the run had its data and its first weights from
  is no business of theirs: those fields have their default.
  """
  config = config.copy_and_resolve_references()
  with config.unlocked():
    for field in _FOLDERS:
      section, name = field.split('.')
      config[section][name] = default()[section][name]
  return json.dumps({**config.to_dict(), _EXPORTED: facts}, indent=2) + '\n'


def _read_sections(path: epath.Path) -> dict[str, Any]:
  """{'train': ...}, unchecked."""
  # To read a named pipe would wait for ever.
  if not (storage.is_remote(path) or os.path.isfile(path)):
    there = 'it is not a file' if path.exists() else 'no such file'
    raise UserError(f'{path} is not a config that alae wrote: {there}')
  try:
    sections = json.loads(path.read_text())
  except UnicodeDecodeError as error:
    raise UserError(f'{path} is not a config that alae wrote: not UTF-8') from (
      error
    )
  except (ValueError, RecursionError) as error:
    raise UserError(f'{path} is not a config that alae wrote: {error}') from (
      error
    )
  if not isinstance(sections, dict):
    raise UserError(
      f'{path} is not a config that alae wrote: it must be {{"train": ...}}'
    )
  return sections


def _assign(config: ConfigDict, given: dict[str, Any]) -> None:
  for field, value in given.items():
    section, name = field.split('.')
    config[section][name] = value


def _read_overrides(
  overrides: Sequence[str] | Mapping[str, Any],
) -> dict[str, Any]:
  """{'train.seed': 1} of '--config.train.seed=1', or of that and '1'.

  No value is true, where that can be. Of a mapping the values are checked.
  """
  if isinstance(overrides, Mapping):
    return {field: _fit(field, value) for field, value in overrides.items()}
  given: dict[str, Any] = {}
  remaining = list(overrides)
  while remaining:
    field, text = _next_override(remaining)
    if field in given:
      raise UserError(f'config.{field} is given twice: give it once')
    given[field] = values.parse(field, text)
  return given


def _next_override(remaining: list[str]) -> tuple[str, str]:
  """Takes a field and its value off the words that remain."""
  word = remaining.pop(0)
  if not word.startswith(_PREFIX):
    what = 'unknown' if word.startswith('-') else 'unexpected'
    raise UserError(f'{what} argument {word}; see --help')
  field, equals, text = word.removeprefix(_PREFIX).partition('=')
  _check_field(field)
  if not equals and remaining and not remaining[0].startswith('--'):
    text = remaining.pop(0)
  elif not equals and isinstance(values.DEFAULTS[field], bool):
    text = 'true'
  clears = equals and isinstance(values.DEFAULTS[field], str)
  if not text.strip() and not clears:
    raise UserError(f'config.{field} has no value: {_PREFIX}{field}=VALUE')
  return field, text


def _fit(field: str, value: Any) -> Any:
  _check_field(field)
  return values.fit(field, value)


def _check_field(field: str) -> None:
  if field in default():
    raise UserError(f'config.{field} is a section: name a field of it too')
  if field not in values.DEFAULTS:
    raise UserError(values.unknown(field))
