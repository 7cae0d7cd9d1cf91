"""A checkpoint that can't be saved: told in one line, and nothing is left.

Orbax saves in the background, and raises what happened there from whatever it
is asked to do next.
"""

import errno
import functools
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from etils import epath

from alae_jax import storage
from alae_jax.errors import Failure, UserError, printable, reason

P = ParamSpec('P')
T = TypeVar('T')

# As TensorStore names it, amid paths and specifications.
_OF_THE_SYSTEM = re.compile(r"([^:\[]+) \[os_error_code='(\d+)'")
_UNFINISHED = '*.orbax-checkpoint-tmp'
# Threads of TensorStore may be writing there still.
_ATTEMPTS, _SECONDS_BETWEEN = 20, 0.1


class UnsavedError(OSError):
  """A checkpoint could not be saved; those before it are as they were."""


class _Saves(Protocol):
  _path: epath.Path


S = TypeVar('S', bound=_Saves)


def tells_of_failure(
  method: Callable[Concatenate[S, P], T],
) -> Callable[Concatenate[S, P], T]:
  """A method of something with a `_path`, where saves may fail.

  It raises UnsavedError then, which names that folder, and has removed what was
  half written there.
  """

  @functools.wraps(method)
  def careful(self: S, *args: P.args, **kwargs: P.kwargs) -> T:
    try:
      return method(self, *args, **kwargs)
    except (UserError, Failure, AssertionError, UnsavedError):
      raise
    except Exception as error:  # Orbax and TensorStore raise all kinds
      remove_unfinished(self._path)
      raise _in_a_line(error, self._path) from error

  return careful


def remove_unfinished(path: epath.Path) -> None:
  """Removes the folders of saves that failed; what can't be, a resume will."""
  if storage.is_remote(path) or not path.exists():
    return
  for _ in range(_ATTEMPTS):
    for unfinished in path.glob(_UNFINISHED):
      try:
        unfinished.rmtree()
      except OSError:
        continue
    time.sleep(_SECONDS_BETWEEN)
    if not any(path.glob(_UNFINISHED)):
      return


def _in_a_line(error: Exception, path: epath.Path) -> 'UnsavedError':
  number = getattr(error, 'errno', None) or errno.EIO
  # TensorStore adds its whole specification to what it says.
  why = getattr(error, 'strerror', None) or reason(error).partition(' [')[0]
  found = _OF_THE_SYSTEM.search(str(error))
  if found:
    why, number = found[1].strip(), int(found[2])
  said = f'a checkpoint is not saved: {printable(why, 200)}'
  return UnsavedError(number, said, os.fspath(path))


def _is_raised_too(record: logging.LogRecord) -> bool:
  """Whether a log record tells of an exception from within Orbax."""
  if not record.exc_info:
    return False
  frames = traceback.extract_tb(record.exc_info[2])
  words = [str(record.exc_info[1]), *(frame.filename for frame in frames)]
  return any('orbax' in word for word in words)


# Every thread of a failed save tells its own, and asyncio once more.
for _name in ('absl', 'asyncio'):
  logging.getLogger(_name).addFilter(lambda record: not _is_raised_too(record))

_tell_unraisable = sys.unraisablehook


def _tell_other_unraisable(unraisable: Any) -> None:
  """TensorStore still writes when Orbax has closed the loop that listens."""
  if str(
    unraisable.exc_value
  ) != 'Event loop is closed' and 'async_serialize' not in repr(
    unraisable.object
  ):
    _tell_unraisable(unraisable)


sys.unraisablehook = _tell_other_unraisable
