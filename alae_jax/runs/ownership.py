"""Who may write to a run folder: one process at a time.

The owner says so in owner.json, and says every few seconds that it is still
there. One that died without a word is told by the system where it ran on this
machine, and elsewhere by its silence. Readers need not ask.
"""

import contextlib
import json
import os
import pathlib
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import filelock
from etils import epath

from alae_jax import storage
from alae_jax.errors import Failure, UserError
from alae_jax.runs.folder import RunFolder

SECONDS_BETWEEN_SIGNS = 10
SECONDS_OF_SILENCE = 60  # after which an owner elsewhere counts as gone


class LostFolder(Failure):
  """The run folder belongs to another process now, or is no more."""


class Owner:
  """This process as the owner of a run folder; use it as a context manager.

  Entering raises UserError where another process owns the folder, and makes a
  folder that is not there yet.
  """

  def __init__(self, folder: RunFolder):
    self._folder = folder
    self._path = folder.owner
    self._said = _describe_process()
    self._over = threading.Event()
    self._teller = threading.Thread(target=self._keep_telling, daemon=True)

  def __enter__(self) -> 'Owner':
    self._folder.path.mkdir(parents=True, exist_ok=True)
    self._claim()
    self._teller.start()
    return self

  def __exit__(self, *_) -> None:
    self._over.set()
    self._teller.join()
    if _read(self._path).get('token') == self._said['token']:
      self._path.unlink(missing_ok=True)

  def check(self) -> None:
    """Asks whether the folder is still ours; ask before writing to it.

    Raises:
      LostFolder: it is not.
    """
    if not self._folder.path.exists():
      raise LostFolder(f'{self._folder.path} was removed: this run stops')
    owner = _read(self._path)
    if owner.get('token') != self._said['token']:
      raise LostFolder(
        f'{self._folder.path} now belongs to {_name(owner)}: this run stops '
        'and writes nothing more there'
      )

  def _claim(self) -> None:
    """Writes owner.json, unless its process is there."""
    with _alone(self._path):
      owner = _read(self._path)
      if _lives(owner):
        raise UserError(
          f'workdir {self._folder.path} belongs to {_name(owner)}, which '
          'writes there: stop that, or name another folder'
        )
      storage.write_whole(self._path, self._content())
    if storage.is_remote(self._path):
      time.sleep(1)  # nothing locks a bucket: of two at once the later one wins
    try:
      self.check()
    except LostFolder as error:
      raise UserError(f'workdir {error}') from error

  def _content(self) -> bytes:
    return (json.dumps(self._said | {'seen': time.time()}) + '\n').encode()

  def _keep_telling(self) -> None:
    while not self._over.wait(SECONDS_BETWEEN_SIGNS):
      try:
        self.check()
        storage.write_whole(self._path, self._content())
      except Exception:  # the next check before a write tells what is wrong
        continue


def release(folder: RunFolder) -> None:
  """Lets go of a folder that this process owns, if it does, before it ends.

  On another machine one would otherwise wait for its silence.
  """
  owner = _read(folder.owner)
  if _same_machine(owner) and owner.get('pid') == os.getpid():
    folder.owner.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(path: epath.Path) -> Iterator[None]:
  """While the owner is looked up and replaced, others on this disk wait."""
  with contextlib.ExitStack() as stack:
    if not storage.is_remote(path):
      # Some network disks have no locks.
      with contextlib.suppress(OSError, NotImplementedError):
        lock = filelock.FileLock(path.parent / f'.{path.name}.lock')
        stack.enter_context(lock)
    yield


def _read(path: epath.Path) -> dict[str, Any]:
  """What owner.json says; {} where it is not, or is not whole."""
  try:
    owner = json.loads(path.read_bytes())
  except (OSError, ValueError):
    return {}
  return owner if isinstance(owner, dict) else {}


def _lives(owner: dict[str, Any]) -> bool:
  """Whether an owner's process may still be there."""
  if _same_machine(owner):
    if owner.get('boot') != _boot():
      return False
    started = _started(owner.get('pid', 0))
    return bool(started) and started == owner.get('started')
  seen = owner.get('seen')
  return (
    isinstance(seen, int | float) and time.time() - seen < SECONDS_OF_SILENCE
  )


def _name(owner: dict[str, Any]) -> str:
  """An owner in words."""
  if not owner:
    return 'no process'
  since = time.strftime(
    '%Y-%m-%d %H:%M:%S', time.localtime(owner.get('since', 0))
  )
  return f'process {owner.get("pid")} on {owner.get("host")} (since {since})'


def _describe_process() -> dict[str, Any]:
  return {
    'token': uuid.uuid4().hex,
    'host': platform.node(),
    'machine': _machine(),
    'boot': _boot(),
    'pid': os.getpid(),
    'started': _started(os.getpid()),
    'since': time.time(),
  }


def _same_machine(owner: dict[str, Any]) -> bool:
  """Whether an owner's process number means something here."""
  return (owner.get('host'), owner.get('machine')) == (
    platform.node(),
    _machine(),
  )


def _machine() -> str:
  """What tells containers of one name apart: where processes are counted."""
  try:
    return os.readlink('/proc/self/ns/pid')
  except OSError:
    return ''


def _boot() -> str:
  """Which start of the machine this is, '' where it doesn't say."""
  path = pathlib.Path('/proc/sys/kernel/random/boot_id')
  return path.read_text().strip() if path.exists() else ''


def _started(pid: int) -> str:
  """When a process of this machine started, in any form; '' for none."""
  stat = pathlib.Path(f'/proc/{pid}/stat')
  if stat.exists():
    # The name, in parentheses, may hold anything; the rest are numbers.
    fields = stat.read_text().rpartition(')')[2].split()
    return '' if fields[0] in 'ZX' else fields[19]
  if pathlib.Path('/proc/self/stat').exists():
    return ''
  try:
    os.kill(pid, 0)
  except ProcessLookupError:
    return ''
  except OSError:
    pass
  return 'running'
