"""Files and folders, local or remote (gs://...)."""

import errno
import logging
import os
import stat

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
    name: local, where ~ and ~user are home folders, or gs://BUCKET/...

  Returns:
    The path; it does not begin with ~, and can be located again.

  Raises:
    UserError: it is no path, or it is remote, and its storage is of another
      kind, needs a package, or does not let us in.
  """
  text = expand(name)
  path = epath.Path(text)
  if not is_remote(path):
    _check_length(path)
    # A file may be called ~ indeed, and pathlib makes that of ./~.
    return path.absolute() if os.fspath(path).startswith('~') else path
  try:
    path.exists()
  except ImportError as error:
    raise UserError(f"{name} needs gcsfs: pip install 'alae_jax[gcs]'") from (
      error
    )
  except Exception as error:  # of the network, the bucket and the credentials
    raise UserError(f'{name} cannot be reached: {reason(error)}') from error
  return path


def _check_length(path: epath.Path) -> None:
  """Asks the system: pathlib says of such a path that it isn't there."""
  try:
    os.lstat(path)
  except OSError as error:
    if error.errno == errno.ENAMETOOLONG:
      raise UserError(f'{path}: {error.strerror}') from None


def expand(name: epath.PathLike) -> str:
  """A path's name with the home folder for ~, as far as names tell.

  Raises:
    UserError: it is blank, no file can have it, there is no such user, or it
      is remote and not in gs://.
  """
  text = os.fspath(name)
  if not text.strip():
    raise UserError(f'{text!r} is no path: name a file or folder')
  if '\0' in text:
    raise UserError(f'{text} is no path: it holds a NUL character')
  scheme, remote, bucket = text.partition('://')
  if remote and (scheme != 'gs' or bucket[:1] in ('', '/')):
    raise UserError(f'{text}: a remote path must begin with gs://BUCKET')
  expanded = os.path.expanduser(text)
  if expanded.startswith('~') and not os.path.lexists(text):
    raise UserError(
      f'{text}: there is no user {text[1:].partition("/")[0]}: write ./{text} '
      'for a file of that name'
    )
  return expanded


def require_file(path: epath.Path) -> None:
  """Refuses what can't be read as a file, before it is opened.

  A pipe would keep us waiting, and a device has no end.

  Raises:
    UserError: it is missing, a folder, a pipe, a device or a socket, or can't
      be reached.
  """
  if is_remote(path):
    return
  try:
    mode = os.stat(path).st_mode
  except FileNotFoundError:
    raise UserError(f'{path}: no such file') from None
  except OSError as error:
    raise UserError(f'{path}: {error.strerror}') from None
  if stat.S_ISDIR(mode):
    raise UserError(f'{path} is a folder: name a file')
  if not stat.S_ISREG(mode):
    raise UserError(f'{path} is a pipe, a device or a socket: name a file')


def require_folder(path: epath.Path) -> None:
  """Refuses what can't be a folder to write in, before there is work to lose.

  Raises:
    UserError: it, or what it would lie in, is no folder or can't be written.
  """
  if is_remote(path):
    return
  for above in (path, *path.absolute().parents):
    if os.path.lexists(above):
      break
  if not os.path.isdir(above):
    raise UserError(f'{path}: {above} is no folder')
  if not os.access(above, os.W_OK | os.X_OK):
    raise UserError(f'{path}: no permission to write in {above}')


def is_remote(path: epath.Path) -> bool:
  """Whether a path is in an object store and not on a disk."""
  return '://' in os.fspath(path)


def write_whole(path: epath.Path, content: bytes) -> None:
  """Writes a file so that a kill leaves the old one or the new one."""
  if is_remote(path):  # an object takes its name when it is whole
    path.write_bytes(content)
    return
  start = path.name[:50]  # a name may be as long as names can be
  partial = path.parent / f'.{start}.partial'
  partial.write_bytes(content)
  partial.replace(path)


def append(path: epath.Path, text: str) -> None:
  """Adds text to a file; an object can't grow, so it is written anew."""
  if is_remote(path):
    path.write_text((path.read_text() if path.exists() else '') + text)
  else:
    with path.open('a') as file:
      file.write(text)


def cache_folder() -> epath.Path:
  """Where copies of what can be had again lie on this machine's disk.

  $ALAE_CACHE, or .cache/alae_jax in the home folder.
  """
  named = os.environ.get('ALAE_CACHE')
  return epath.Path(named or '~/.cache/alae_jax').expanduser().absolute()
