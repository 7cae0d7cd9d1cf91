"""Addresses on the Hugging Face hub: hf://USER/NAME, hf://USER/NAME@REVISION."""

import dataclasses
import os
import re

from etils import epath

from alae_jax.errors import UserError

_BEGINS = 'hf://'
_FORM = f'{_BEGINS}USER/NAME or {_BEGINS}USER/NAME@REVISION'

# What the hub allows as a name; -- and .. have a meaning of their own there.
_NAME = re.compile(r'\w(?:[\w.-]{0,94}\w)?', re.ASCII)
_REVISION = re.compile(r'\w(?:[\w./-]*\w)?', re.ASCII)


@dataclasses.dataclass(frozen=True)
class Address:
  """A repository of a model, which may be at a revision.

  Attributes:
    repository: 'USER/NAME'.
    revision: a branch, a tag or a commit; None for the newest commit.
  """

  repository: str
  revision: str | None = None

  def __str__(self) -> str:
    at = f'@{self.revision}' if self.revision else ''
    return f'{_BEGINS}{self.repository}{at}'


def is_address(name: epath.PathLike) -> bool:
  """Whether a name means the hub rather than a folder, right or wrong."""
  return os.fspath(name).startswith(_BEGINS)


def parse(name: epath.PathLike) -> Address:
  """'hf://USER/NAME@REVISION' -> its parts.

  Raises:
    UserError: it is no such address; says why.
  """
  text = os.fspath(name)
  repository, at, revision = text.removeprefix(_BEGINS).partition('@')
  wrong = _wrong(repository)
  if at and not _is(revision, _REVISION):
    wrong = wrong or f'{revision!r} is no branch, tag or commit'
  if not is_address(text) or wrong:
    why = f' ({wrong})' if wrong else ''
    raise UserError(f'{text!r} is no address of the hub{why}: give {_FORM}')
  return Address(repository, revision or None)


def _wrong(repository: str) -> str:
  """What is wrong with 'USER/NAME'; '' for nothing."""
  parts = repository.split('/')
  if len(parts) == 1:
    return 'it names no user' if repository else 'it names nothing'
  if len(parts) > 2:
    return 'it names more than a user and a repository'
  for part in parts:
    if not _is(part, _NAME) or '--' in part or part.endswith('.git'):
      return f'{part!r} is no name there'
  return ''


def _is(text: str, pattern: re.Pattern[str]) -> bool:
  return bool(pattern.fullmatch(text)) and '..' not in text
