"""What a field takes on the command line."""

import pytest

from alae_jax import config as config_lib
from alae_jax.config import values
from alae_jax.errors import UserError


@pytest.mark.parametrize(
  ('field', 'text', 'value'),
  [
    ('train.images', '5', 5),
    ('train.images', '1e6', 1_000_000),
    ('train.images', '1.5e3', 1500),
    ('train.images', '48_000_000', 48_000_000),
    ('train.images', '7.0', 7),
    ('train.images', ' 7 ', 7),
    ('train.seed', '-1', -1),
    ('train.seed', '9007199254740993', 9007199254740993),
    ('train.learning_rate', '1', 1.0),
    ('train.learning_rate', '2e-3', 0.002),
    ('data.flip', 'true', True),
    ('data.flip', 'True', True),
    ('data.flip', '1', True),
    ('data.flip', 'no', False),
    ('data.flip', '0', False),
    ('data.name', 'digits', 'digits'),
    ('data.name', '5', '5'),
    ('model.hidden', '(3,4)', (3, 4)),
    ('model.hidden', '[3, 4]', (3, 4)),
    ('model.hidden', '3,4', (3, 4)),
    ('model.hidden', '(3,)', (3,)),
    ('model.hidden', '3', (3,)),
    ('model.hidden', '(1e3,4.0)', (1000, 4)),
    ('model.hidden', '()', ()),
    ('growth.learning_rates', '1e-3,1', (0.001, 1.0)),
    ('evaluation.at_end', 'probe', ('probe',)),
    ('evaluation.at_end', "('probe',)", ('probe',)),
    ('evaluation.at_end', '["a", "b"]', ('a', 'b')),
    ('evaluation.at_end', '[]', ()),
  ],
)
def test_what_is_taken(field, text, value):
  parsed = values.parse(field, text)
  assert (parsed, type(parsed)) == (value, type(value))
  if isinstance(value, tuple):
    assert list(map(type, parsed)) == list(map(type, value))


@pytest.mark.parametrize(
  ('field', 'wanted', 'texts'),
  [
    (
      'train.images',
      'a whole number',
      ('1.5', 'x', 'true', 'nan', 'inf', '-inf', '1e400', '1,2', '(1)', '0x10'),
    ),
    ('train.learning_rate', 'a number', ('x', 'nan', 'inf', '1e400', '1,2')),
    ('data.flip', 'true or false', ('2', 'maybe', '1.0', '(1,)')),
    (
      'model.hidden',
      'whole numbers, such as (16,8)',
      ('x', '1.5', '1,,2', '(1', '((1,2),3)', '1 2', '(16,)*64', 'None', '{}'),
    ),
    ('growth.learning_rates', 'numbers, such as', ('x', 'nan', '(1,inf)')),
  ],
)
def test_what_is_refused_in_plain_words(field, wanted, texts):
  for text in texts:
    with pytest.raises(UserError) as error:
      values.parse(field, text)
    said = f'config.{field} is {text!r}: it must be {wanted}'
    assert str(error.value).startswith(said)


def test_long_values_are_cut():
  with pytest.raises(UserError) as error:
    values.parse('train.seed', '9' * 100_000)
  assert len(str(error.value)) < 200


def test_every_field_has_a_kind():
  """A new field that holds several values says of which type they are."""
  for field, value in config_lib.flatten(config_lib.default()).items():
    assert values.fit(field, value) == value
    assert values.wanted(field)
