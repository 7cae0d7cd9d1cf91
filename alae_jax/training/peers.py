"""The processes of one job: where one fails or is gone, the others stop too.

Left alone they would wait for it in the next sum over all devices, for minutes
or for ever. Every process says every two seconds, in jax's key-value store,
which the first one keeps, that it is there. A thread looks whether the others
do, and ends this process where one does not, whatever the main thread waits
for.
"""

import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator
from typing import NoReturn, Protocol

import jax

from alae_jax import progress
from alae_jax.errors import Interrupted, exit_status, printable, reason

SECONDS_BETWEEN_SIGNS = 2.0
SECONDS_OF_SILENCE = 30.0  # after which a process counts as gone
# The same where something has failed already, as sums on processors do at once.
SECONDS_OF_SUSPICION = 10.0
# In which a process that others speak of may find the same for itself.
SECONDS_TO_SAY_THE_SAME = 5.0

_ALL = 'alae_jax/'
_SIGN, _NOTICE = f'{_ALL}process/', f'{_ALL}notice'
_DONE = 'done'


class Store(Protocol):
  """jax's client: what each process writes all can read."""

  def key_value_set(
    self, key: str, value: str, allow_overwrite: bool = False
  ) -> None:
    """Writes; an error where it is there and may not be overwritten."""

  def key_value_dir_get(self, key: str) -> list[tuple[str, str]]:
    """All keys that begin so, with their values."""


class Peers:
  """The other processes of this one's job.

  Attributes:
    process: which this is.
    processes: how many there are.
  """

  def __init__(self, store: Store, process: int, processes: int):
    """Begins to say that this process is there, and to look for the others."""
    self.process, self.processes = process, processes
    self._store = store
    now = time.monotonic()
    # What each of the others last said, and when that was new.
    self._heard = {
      other: ('', now) for other in range(processes) if other != process
    }
    self._notice, self._noticed = '', now  # why the job is over
    self._has_store = True
    self._suspects = False
    self._failed: BaseException | None = None
    self._flags: Collection[str] = ()
    self._part: Callable[[], str] = lambda: ''
    self._over = threading.Event()
    self._leaving = threading.Lock()
    threading.Thread(target=self._watch, daemon=True).start()

  def do(
    self,
    command: Callable[[], None],
    part: Callable[[], str],
    flags: Collection[str] = (),
  ) -> None:
    """Does this process's part of the job; where that fails it ends here.

    Args:
      command: what every process does.
      part: called from any thread before the process ends; returns what is
        saved and how to go on.
      flags: see `errors.exit_status`.

    Raises:
      Interrupted: a signal, which stops all.
    """
    self._part, self._flags = part, flags
    try:
      with self.told():
        command()
    except Interrupted:
      self._close()
      raise
    except BaseException:
      self._leave(self._tell_of_failure)
    self._close()

  @contextlib.contextmanager
  def told(self) -> Iterator[None]:
    """Lets the others know of what fails within, before it is cleaned up.

    Cleaning up may wait for them.
    """
    try:
      yield
    except Interrupted:
      raise
    except BaseException as error:
      if self._failed is None:
        self._fail(error)
      raise

  def lost(self, gone: int) -> None:
    """Ends this process as another one is gone, unless all is done."""
    if self._over.is_set():
      return
    if gone == 0:
      self._has_store = False  # one would wait for it
    if self._failed is not None:
      self._leave(self._tell_of_failure)
    if not self._notice:
      self._tell_others(
        f'process {gone} of {self.processes} is gone: it was killed, or its '
        'machine is out of reach'
      )
    self._leave(self._tell_of_notice)

  def _fail(self, error: BaseException) -> None:
    """Tells the others of an error, unless it may come of their failing.

    Then there is time for the thread that watches to end this process.
    """
    if _may_be_of_others(error):
      self._suspects = True
      time.sleep(SECONDS_OF_SUSPICION + 2 * SECONDS_BETWEEN_SIGNS)
    self._failed = error
    why = printable(reason(error), 500)
    self._tell_others(
      f'process {self.process} of {self.processes} has stopped: {why}'
    )

  def _watch(self) -> None:
    count = 0
    while not self._over.wait(SECONDS_BETWEEN_SIGNS):
      count += 1
      self._say(f'{_SIGN}{self.process}', str(count))
      self._listen()
      gone = self._silent()
      if gone:
        self.lost(gone[0])
      waited = time.monotonic() - self._noticed
      if (
        self._notice
        and self._failed is None
        and waited > SECONDS_TO_SAY_THE_SAME
      ):
        self._leave(self._tell_of_notice)

  def _listen(self) -> None:
    """Reads what the others say."""
    if not self._has_store:
      return
    try:
      said = dict(self._store.key_value_dir_get(_ALL))
    except jax.errors.JaxRuntimeError:  # the first process tells nothing more
      return
    now = time.monotonic()
    if _NOTICE in said and not self._notice:
      self._notice, self._noticed = said[_NOTICE], now
    for other, (before, _) in self._heard.items():
      sign = said.get(f'{_SIGN}{other}', '')
      if sign != before:
        self._heard[other] = sign, now

  def _silent(self) -> list[int]:
    """The processes that have said nothing for too long."""
    hurry = self._suspects or self._notice or self._failed
    most = SECONDS_OF_SUSPICION if hurry else SECONDS_OF_SILENCE
    now = time.monotonic()
    return [
      other
      for other, (sign, since) in self._heard.items()
      if sign != _DONE and now - since > most
    ]

  def _say(self, key: str, value: str, again: bool = True) -> None:
    if not self._has_store:
      return
    with contextlib.suppress(jax.errors.JaxRuntimeError):
      self._store.key_value_set(key, value, again)

  def _tell_others(self, notice: str) -> None:
    """Says why the job is over, unless another process has."""
    self._say(_NOTICE, notice, again=False)
    self._notice = self._notice or notice

  def _close(self) -> None:
    """Nothing is expected of this process any more."""
    self._over.set()
    self._say(f'{_SIGN}{self.process}', _DONE)

  def _leave(self, tell: Callable[[], int]) -> NoReturn:
    """Ends this process, from any thread.

    Args:
      tell: says why, and returns the exit status.
    """
    with self._leaving:  # which is never left
      status = tell()
      sys.stdout.flush()
      self._close()
      if self.process == 0:
        self._wait_for_readers()
      os._exit(status)

  def _wait_for_readers(self) -> None:
    """Until no other process has to read here why the job is over."""
    end = time.monotonic() + 2 * SECONDS_TO_SAY_THE_SAME
    while time.monotonic() < end:
      self._listen()
      silent = self._silent()
      if all(
        sign == _DONE or other in silent
        for other, (sign, _) in self._heard.items()
      ):
        return
      time.sleep(0.2)

  def _tell_of_notice(self) -> int:
    saved = self._parted()
    progress.say(printable(f'alae: {self._notice}; {saved}'))
    return 1

  def _tell_of_failure(self) -> int:
    """As where the process is alone."""
    self._parted()
    assert self._failed is not None
    try:
      return exit_status(self._raise, self._flags)
    except BaseException:
      traceback.print_exc()
      return 1

  def _parted(self) -> str:
    try:
      return self._part()
    except Exception:  # of a disk or bucket that is out of reach, too
      return 'the same command goes on from what is saved'

  def _raise(self) -> None:
    assert self._failed is not None
    raise self._failed


def _may_be_of_others(error: BaseException | None) -> bool:
  """Whether a process fails as another one does not answer."""
  while error is not None:
    if isinstance(error, jax.errors.JaxRuntimeError):
      return 'RESOURCE_EXHAUSTED' not in str(error)
    if 'Gloo' in str(error):  # sums on processors: a ValueError, at times
      return True
    error = error.__cause__ or error.__context__
  return False
