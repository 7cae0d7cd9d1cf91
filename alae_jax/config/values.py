"""What a field may hold, whether it comes as text, JSON or Python."""

import contextlib
import dataclasses
import difflib
import math
import numbers
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

from ml_collections import ConfigDict

from alae_jax.config.defaults import default, flatten
from alae_jax.errors import UserError

DEFAULTS = flatten(default())
# Of the fields that hold several values. An empty default does not tell.
ELEMENTS: dict[str, type] = {
  'model.hidden': int,
  'growth.batch_sizes': int,
  'growth.learning_rates': float,
  'evaluation.at_end': str,
  'evaluation.metrics': str,
  'history.changes': dict,
}
_WORDS_OF_TRUTH = {
  **dict.fromkeys(('true', 'yes', 'on', '1'), True),
  **dict.fromkeys(('false', 'no', 'off', '0'), False),
}
_OF_A_CHANGE = {'images_seen', 'field', 'was', 'now'}
_LONGEST = 60  # of what is repeated in a message
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = _LONGEST
_SHORT.maxtuple = _SHORT.maxlist = 10


@dataclasses.dataclass(frozen=True)
class _Kind:
  """A type of value.

  Attributes:
    one: what one is called.
    several: what many are called.
    convert: a value that may be of another type -> one of this type; raises
      ValueError where it is something else.
    read: a word of the command line -> what to convert.
  """

  one: str
  several: str
  convert: Callable[[Any], Any]
  read: Callable[[str], Any]


def parse(field: str, text: str) -> Any:
  """The value that a command line gives a field.

  Args:
    field: such as 'train.seed'.
    text: such as '1e6', 'true', '(400,400)' or '400,400'.

  Raises:
    UserError: there is no such field, or it holds something else.
  """
  kind, is_tuple = _kind(field)
  if is_tuple:
    return _convert(field, [kind.read(word) for word in _words(text)], text)
  return _convert(field, kind.read(text.strip()), text)


def fit(field: str, value: Any) -> Any:
  """A value as the type that a field has.

  Whole floats are whole numbers, whole numbers are floats, lists are tuples.

  Args:
    field: such as 'train.seed'.
    value: from JSON or Python.

  Raises:
    UserError: there is no such field, or it holds something else.
  """
  return _convert(field, value, value)


def _convert(field: str, value: Any, given: Any) -> Any:
  kind, is_tuple = _kind(field)
  try:
    if not is_tuple:
      return kind.convert(value)
    if not isinstance(value, list | tuple):
      raise ValueError(value)
    return tuple(kind.convert(element) for element in value)
  except (ValueError, OverflowError):
    raise UserError(wrong(field, given, wanted(field))) from None


def wanted(field: str) -> str:
  """What a field holds, in words."""
  kind, is_tuple = _kind(field)
  return kind.several if is_tuple else kind.one


def conform(sections: Mapping[str, Any]) -> ConfigDict:
  """A locked config of these values, with defaults for the rest.

  Args:
    sections: {'train': {'seed': 0, ...}, ...}.

  Raises:
    UserError: it has another shape, or a value of another type.
  """
  config = default()
  for section, fields in sections.items():
    if section not in config:
      raise UserError(unknown_section(section))
    if not isinstance(fields, Mapping):
      raise UserError(wrong(section, fields, 'a section with fields'))
    for name, value in fields.items():
      config[section][name] = fit(f'{section}.{name}', value)
  return config


def wrong(field: str, value: Any, allowed: str) -> str:
  """What is said of a value that a field may not have."""
  return f'config.{field} is {_show(value)}: it must be {allowed}'


def unknown_section(section: str) -> str:
  """What is said of a section that does not exist."""
  return (
    f'no such config section {_cut(section)}: there is {", ".join(default())}'
  )


def unknown(field: str) -> str:
  """What is said of a field that does not exist."""
  field = _cut(field)
  section, _, name = field.rpartition('.')
  names = {known.rpartition('.')[2]: known for known in DEFAULTS}
  close = difflib.get_close_matches(field, DEFAULTS, 1, 0.8)
  close += difflib.get_close_matches(name, names, 1, 0.75)
  if name in names:
    hint = f'did you mean {names[name]}?'
  elif close:
    hint = f'did you mean {names.get(close[0], close[0])}?'
  elif section in default():
    hint = f'{section} has {", ".join(default()[section])}'
  else:
    return unknown_section(section or field)
  return f'no such config field {field}: {hint}'


def _kind(field: str) -> tuple[_Kind, bool]:
  """The kind of a field's value or values, and whether it holds several."""
  if field not in DEFAULTS:
    raise UserError(unknown(field))
  if isinstance(DEFAULTS[field], tuple):
    return _KINDS[ELEMENTS[field]], True
  return _KINDS[type(DEFAULTS[field])], False


def _words(text: str) -> list[str]:
  """'(a,b)', "['a','b']" or 'a,b' -> ['a', 'b']."""
  text = text.strip()
  if text[:1] + text[-1:] in ('()', '[]'):
    text = text[1:-1]
  words = [word.strip() for word in text.split(',')]
  if not words[-1]:  # (a,) and ()
    words.pop()
  return [word.strip('\'"') for word in words]


def _number(text: str) -> Any:
  with contextlib.suppress(ValueError):
    return int(text)
  with contextlib.suppress(ValueError):
    return float(text)
  return text


def _whole(value: Any) -> int:
  if value != math.floor(_real(value)):
    raise ValueError(value)
  return int(value)


def _finite(value: Any) -> float:
  if not math.isfinite(_real(value)):
    raise ValueError(value)
  return float(value)


def _real(value: Any) -> Any:
  if isinstance(value, bool) or not isinstance(value, numbers.Real):
    raise ValueError(value)
  return value


def _truth(value: Any) -> bool:
  if not isinstance(value, bool):
    raise ValueError(value)
  return value


def _text(value: Any) -> str:
  if not isinstance(value, str):
    raise ValueError(value)
  return value


def _change(value: Any) -> dict[str, Any]:
  if not isinstance(value, dict) or set(value) != _OF_A_CHANGE:
    raise ValueError(value)
  field = value['field']
  return {
    'images_seen': _whole(value['images_seen']),
    'field': _text(field),
    'was': fit(field, value['was']),
    'now': fit(field, value['now']),
  }


def _cut(name: object) -> str:
  text = str(name)
  return text if len(text) <= _LONGEST else f'{text[:_LONGEST]}...'


def _show(value: Any) -> str:
  try:
    return _SHORT.repr(value)
  except ValueError:  # Python writes no number of more than 4300 digits
    return 'beyond any number'


_KINDS = {
  int: _Kind(
    'a whole number', 'whole numbers, such as (16,8)', _whole, _number
  ),
  float: _Kind('a number', 'numbers, such as (0.002,0.001)', _finite, _number),
  bool: _Kind(
    'true or false',
    'true or false of each',
    _truth,
    lambda text: _WORDS_OF_TRUTH.get(text.lower(), text),
  ),
  dict: _Kind('a change', 'what --change wrote there', _change, str),
  str: _Kind('text', 'names, such as (probe,)', _text, str),
}
