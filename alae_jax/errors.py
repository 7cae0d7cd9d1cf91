"""What the user can fix, and how it is told."""

import errno
import sys
from collections.abc import Callable, Collection

# What a disk says that has no room, or is broken.
OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

# Name of threads whose work is of no use once a command's process ends.
ABANDONED = 'abandoned at the end'


class _OneLine:
  """What needs no traceback: the message says all there is to know."""

  def _render_traceback_(self) -> list[str]:
    """What IPython shows of it in a notebook."""
    return [f'{type(self).__name__}: {printable(str(self))}']


class UserError(_OneLine, Exception):
  """A mistake in a command, config or file, told in one line.

  The message names the field, file or value and says what to do.
  """


class Failure(_OneLine, Exception):
  """Work that failed through no mistake of the user's, told in one line."""


class Interrupted(_OneLine, KeyboardInterrupt):
  """A signal ended the work; where it stands has been told.

  A KeyboardInterrupt, as in a notebook it stops the cells that would follow.

  Attributes:
    status: the exit status that tells of the signal, 130 or 143.
  """

  def __init__(self, message: str, status: int):
    super().__init__(message)
    self.status = status


def exit_status(
  command: Callable[[], None], flags: Collection[str] = ()
) -> int:
  """Runs a command: 0, or 2 after one line for a mistake of the user's.

  1 after one line for a failure, 130 after Ctrl-C, 143 after SIGTERM.

  What is below the commands begins an error about an argument with the
  argument's name, `source x: no such folder`. Where the user gave it as one of
  `flags` it is told as that: `--source x: no such folder`.

  The same for what the system refuses: 2 for a folder below a file, 1 for a
  full or broken disk.
  """
  try:
    command()
  except UserError as error:
    message = str(error)
    name = message.split(maxsplit=1)[0].removesuffix(':') if message else ''
    dashes = '--' if f'--{name}' in flags else ''
    tell(f'{dashes}{message}')
    return 2
  except OSError as error:
    where = f'{error.filename}: ' if error.filename is not None else ''
    tell(f'{where}{error.strerror or reason(error)}')
    return 1 if error.errno in OUT_OF_SPACE else 2
  except (Failure, FloatingPointError) as error:
    tell(str(error))
    return 1
  except Interrupted as signal:
    return signal.status
  except KeyboardInterrupt:
    tell('stopped by Ctrl-C')
    return 130
  return 0


def tell(message: str) -> None:
  """Says something to the user in one line, beside what a command prints."""
  print(f'alae: {printable(message)}', file=sys.stderr)


def printable(text: str, most: int = 1000) -> str:
  r"""A text as a terminal or a log can show it, in one line.

  Names of files may hold anything: control characters (which a terminal would
  obey), bytes that are no text, thousands of letters.

  Args:
    text: a message or a name.
    most: characters; of a longer text the middle is left out.

  Returns:
    The text with '\n', '\x1b' and the like in place of such characters.
  """
  shown = ''.join(
    letter if letter.isprintable() else letter.encode('unicode_escape').decode()
    for letter in text
  )
  if len(shown) <= most:
    return shown
  return f'{shown[: most // 2]}...{shown[-(most // 2) :]}'


def reason(error: BaseException) -> str:
  """What an exception says, in one line and without a KeyError's quotes."""
  message = error.args[0] if len(error.args) == 1 else error
  return ' '.join(str(message).split()) or type(error).__name__
