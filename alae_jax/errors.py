"""What the user can fix, and how it is told."""

import sys
from collections.abc import Callable, Collection


class UserError(Exception):
  """A mistake in a command, config or file, told in one line.

  The message names the field, file or value and says what to do.
  """


def exit_status(
  command: Callable[[], None], flags: Collection[str] = ()
) -> int:
  """Runs a command: 0, or 2 after one line for a mistake of the user's.

  What is below the commands begins an error about an argument with the
  argument's name, `source x: no such folder`. Where the user gave it as one of
  `flags` it is told as that: `--source x: no such folder`.

  The same for what the system refuses: a folder below a file, a full disk.
  A number that is not finite stops a run with 1 and one line: no traceback
  would say more.
  """
  try:
    command()
  except UserError as error:
    message = str(error)
    name = message.split(maxsplit=1)[0].removesuffix(':') if message else ''
    dashes = '--' if f'--{name}' in flags else ''
    print(f'alae: {dashes}{message}', file=sys.stderr)
    return 2
  except OSError as error:
    where = f'{error.filename}: ' if error.filename is not None else ''
    print(f'alae: {where}{error.strerror or reason(error)}', file=sys.stderr)
    return 2
  except FloatingPointError as error:
    print(f'alae: {error}', file=sys.stderr)
    return 1
  return 0


def reason(error: BaseException) -> str:
  """What an exception says, in one line and without a KeyError's quotes."""
  message = error.args[0] if len(error.args) == 1 else error
  return ' '.join(str(message).split()) or type(error).__name__
