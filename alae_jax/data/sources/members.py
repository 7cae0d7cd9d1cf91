"""Names in archives, which anybody may have written."""

import collections
import pathlib
from collections.abc import Iterable

from alae_jax.data import images


def why_not_taken(name: str) -> str | None:
  """The kind of a member that is no image, or None if it is one."""
  parts = name.split('/')
  hidden = any(p.startswith('.') and p.strip('.') for p in parts)
  if hidden or '__MACOSX' in parts:
    return 'hidden'
  suffix = pathlib.PurePosixPath(name).suffix.lower()
  return None if suffix in images.EXTENSIONS else suffix or 'without suffix'


def climbs_out(name: str) -> bool:
  """Whether a name leads out of the folder that it would be unpacked in."""
  return (
    name.startswith('/')
    or '\\' in name
    or '\0' in name
    or name[1:2] == ':'
    or '..' in name.split('/')
  )


def first_twice(names: Iterable[str]) -> str | None:
  """A name that is there twice, or None."""
  counts = collections.Counter(names)
  return next((name for name, count in counts.items() if count > 1), None)
