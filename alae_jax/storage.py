"""Files and folders, local or remote (gs://...)."""

import logging
import os

import fsspec
from etils import epath

from alae_jax.errors import UserError, reason

# A client would remember for ever what a folder held when it was first read,
# and a notebook never see the checkpoints of a run that goes on elsewhere.
SECONDS_REMEMBERED = 5
fsspec.config.conf.setdefault('gcs', {}).setdefault(
  'listings_expiry_time', SECONDS_REMEMBERED
)

# It logs with a traceback what it raises too; GCSFS_DEBUG shows it again.
logging.getLogger('gcsfs').setLevel(logging.CRITICAL)


def locate(name: epath.PathLike) -> epath.Path:
  """A path as a user gives it, there or not yet.

  Args:
    name: local, or gs://BUCKET/...

  Raises:
    UserError: it is remote, and its storage is of another kind, needs a
      package, or does not let us in.
  """
  path = epath.Path(name)
  scheme, remote, bucket = os.fspath(name).partition('://')
  if not remote:
    return path
  if scheme != 'gs' or not bucket:
    raise UserError(f'{name}: a remote path must begin with gs://BUCKET')
  try:
    path.exists()
  except ImportError as error:
    raise UserError(f"{name} needs gcsfs: pip install 'alae_jax[gcs]'") from (
      error
    )
  except Exception as error:  # of the network, the bucket and the credentials
    raise UserError(f'{name} cannot be reached: {reason(error)}') from error
  return path


def is_remote(path: epath.Path) -> bool:
  """Whether a path is in an object store and not on a disk."""
  return '://' in os.fspath(path)


def write_whole(path: epath.Path, content: bytes) -> None:
  """Writes a file so that a kill leaves the old one or the new one."""
  if is_remote(path):  # an object takes its name when it is whole
    path.write_bytes(content)
    return
  partial = path.parent / f'.{path.name}.partial'
  partial.write_bytes(content)
  partial.replace(path)


def append(path: epath.Path, text: str) -> None:
  """Adds text to a file; an object can't grow, so it is written anew."""
  if is_remote(path):
    path.write_text((path.read_text() if path.exists() else '') + text)
  else:
    with path.open('a') as file:
      file.write(text)
