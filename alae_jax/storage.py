"""Files and folders, local or remote (gs://...)."""

import contextlib
import errno
import io
import logging
import os
import stat
import uuid
from collections.abc import Iterator

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
  """Writes a file so that a kill or a full disk leaves the old or the new one.

  Raises:
    OSError: names the file, and says what is left.
  """
  if is_remote(path):  # an object takes its name when it is whole
    path.write_bytes(content)
    return
  # A name may be as long as names can be, and others may write it too.
  partial = path.parent / f'.{path.name[:50]}.{uuid.uuid4().hex[:16]}.partial'
  left = 'it is as it was before' if path.exists() else 'nothing of it is left'
  with _refused(path, left):
    try:
      with open(partial, 'xb') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # some disks say only now that they are full
      partial.replace(path)
    except BaseException:
      partial.unlink(missing_ok=True)
      raise


def append(path: epath.Path, text: str) -> None:
  """Adds whole lines to a file; an object can't grow, so it is written anew.

  A line that a kill cut short stays one of its own: the text begins the next.

  Args:
    path: made if need be.
    text: ends with a newline.

  Raises:
    OSError: names the file; nothing of the text is in it.
  """
  content = text.encode(errors='backslashreplace')
  if is_remote(path):
    before = path.read_bytes() if path.exists() else b''
    path.write_bytes(before + _apart_from(before[-1:]) + content)
    return
  with (
    _refused(path, 'its earlier lines are whole'),
    open(path, 'a+b', buffering=0) as file,
  ):
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 1, 0))
    _write_or_cut(file, size, _apart_from(file.read(1)) + content)


def _apart_from(last: bytes) -> bytes:
  """What must follow the last byte of a file for a line to begin."""
  return b'' if last in (b'', b'\n') else b'\n'


def _write_or_cut(file: io.RawIOBase, size: int, content: bytes) -> None:
  """Appends all of it, or cuts the file back to its size in bytes."""
  written = 0
  try:
    while written < len(content):  # a disk may take a part of it
      written += file.write(content[written:]) or 0
  except BaseException:
    if file.seek(0, os.SEEK_END) == size + written:  # nobody else wrote too
      file.truncate(size)
    raise


@contextlib.contextmanager
def _refused(path: epath.Path, left: str) -> Iterator[None]:
  """Tells what the system refuses with the file's name and what is left."""
  try:
    yield
  except OSError as error:
    why = f'{error.strerror or reason(error)}; {left}'
    raise OSError(error.errno, why, os.fspath(path)) from error


def cache_folder() -> epath.Path:
  """Where copies of what can be had again lie on this machine's disk.

  $ALAE_CACHE, or .cache/alae_jax in the home folder.
  """
  named = os.environ.get('ALAE_CACHE')
  return epath.Path(named or '~/.cache/alae_jax').expanduser().absolute()
