"""Names in archives, which anybody may have written."""

import collections
import pathlib
from collections.abc import Sequence

from etils import epath

from alae_jax.data import decoding
from alae_jax.errors import UserError


def why_not_taken(name: str) -> str | None:
  """The kind of a member that is no image, or None if it is one."""
  parts = name.split('/')
  hidden = any(p.startswith('.') and p.strip('.') for p in parts)
  if hidden or '__MACOSX' in parts:
    return 'hidden'
  suffix = pathlib.PurePosixPath(name).suffix.lower()
  return None if suffix in decoding.EXTENSIONS else suffix or 'without suffix'


def check_names(path: epath.Path, names: Sequence[str]) -> None:
  """Refuses an archive with names that nobody should unpack.

  Raises:
    UserError: one leads out of it, or is there twice.
  """
  for name in names:
    if _leads_out(name):
      raise UserError(f'{path} holds {name!r}, which leads out of it')
  for name, count in collections.Counter(names).items():
    if count > 1:
      raise UserError(f'{path} holds {name!r} twice: make a new one of it')


def _leads_out(name: str) -> bool:
  """Whether it is outside of the folder that it would be unpacked in."""
  return (
    name.startswith('/')
    or '\\' in name
    or '\0' in name
    or name[1:2] == ':'
    or '..' in name.split('/')
  )
