"""The paper in a minute: every function that the table names exists."""

import importlib
import re

import pytest

import alae_jax

NAMES = re.findall(r'\b[a-z]+(?:\.\w+)+', alae_jax.__doc__)


def look_up(name):
  """The object that a dotted name below alae_jax stands for."""
  parts = name.split('.')
  for end in range(len(parts), 0, -1):
    try:
      found = importlib.import_module('.'.join(['alae_jax', *parts[:end]]))
    except ModuleNotFoundError:
      continue
    for attribute in parts[end:]:
      found = getattr(found, attribute)
    return found
  raise AttributeError(name)


def test_the_table_names_every_equation():
  assert len(NAMES) == 20
  for equation in (
    'V',
    'reciprocity',
    'sum of C_i',
    'R1',
    'mixing',
    'blend',
    'truncation',
  ):
    assert equation in alae_jax.__doc__


@pytest.mark.parametrize('name', NAMES)
def test_what_the_table_names_exists(name):
  assert callable(look_up(name))


def test_a_wrong_name_would_be_found():
  with pytest.raises(AttributeError):
    look_up('methods.objectives.no_such_loss')
