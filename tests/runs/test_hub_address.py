"""What an address on the hub is."""

import pytest

from alae_jax.errors import UserError
from alae_jax.runs.hub_address import Address, is_address, parse


@pytest.mark.parametrize(
  ('text', 'repository', 'revision'),
  [
    ('hf://ada/digits', 'ada/digits', None),
    ('hf://a/b', 'a/b', None),
    ('hf://Ada-1/my_digits.v2', 'Ada-1/my_digits.v2', None),
    ('hf://ada/digits@v1.0', 'ada/digits', 'v1.0'),
    ('hf://ada/digits@refs/pr/1', 'ada/digits', 'refs/pr/1'),
    (f'hf://ada/digits@{"0f" * 20}', 'ada/digits', '0f' * 20),
  ],
)
def test_an_address_is_read_and_written(text, repository, revision):
  assert is_address(text)
  assert parse(text) == Address(repository, revision)
  assert str(parse(text)) == text


@pytest.mark.parametrize(
  ('text', 'why'),
  [
    ('hf://', 'it names nothing'),
    ('hf://digits', 'it names no user'),
    ('hf://digits@main', 'it names no user'),
    ('hf:///digits', "'' is no name there"),
    ('hf://ada/', "'' is no name there"),
    ('hf://ada/digits/', 'more than a user and a repository'),
    ('hf://datasets/ada/digits', 'more than a user and a repository'),
    ('hf://ada/dig its', "'dig its' is no name there"),
    ('hf://ada/digits?', "'digits?' is no name there"),
    ('hf://ada/zahlenÄ8', 'is no name there'),
    ('hf://../etc', "'..' is no name there"),
    ('hf://ada/a..b', "'a..b' is no name there"),
    ('hf://ada/a--b', "'a--b' is no name there"),
    ('hf://ada/digits.git', "'digits.git' is no name there"),
    ('hf://ada/-digits', "'-digits' is no name there"),
    (f'hf://ada/{"x" * 97}', 'is no name there'),
    ('hf://ada/digits@', "'' is no branch, tag or commit"),
    ('hf://ada/digits@a b', "'a b' is no branch"),
    ('hf://ada/digits@../x', 'is no branch'),
    ('hf://ada/digits@a@b', "'a@b' is no branch"),
    ('runs/digits', 'give hf://USER/NAME'),
    ('', 'give hf://USER/NAME'),
  ],
)
def test_what_is_none_is_refused_in_one_line(text, why):
  with pytest.raises(UserError) as caught:
    parse(text)
  said = str(caught.value)
  assert said.startswith(f'{text!r} is no address of the hub')
  assert why in said
  assert said.endswith('give hf://USER/NAME or hf://USER/NAME@REVISION')
  assert '\n' not in said


@pytest.mark.parametrize('text', ['runs/hf', 'gs://b/hf://', './hf://ada/x'])
def test_folders_are_no_addresses(text):
  assert not is_address(text)
