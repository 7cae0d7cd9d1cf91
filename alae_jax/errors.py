"""What the user can fix, and how it is told."""

import sys
from collections.abc import Callable


class UserError(Exception):
  """A mistake in a command, config or file, told in one line.

  The message names the field, file or value and says what to do.
  """


def exit_status(command: Callable[[], None]) -> int:
  """Runs a command: 0, or 2 after one line for a mistake of the user's.

  The same for what the system refuses: a folder below a file, a full disk.
  A number that is not finite stops a run with 1 and one line: no traceback
  would say more.
  """
  try:
    command()
  except UserError as error:
    print(f'alae: {error}', file=sys.stderr)
    return 2
  except OSError as error:
    where = f'{error.filename}: ' if error.filename is not None else ''
    print(f'alae: {where}{error.strerror or reason(error)}', file=sys.stderr)
    return 2
  except FloatingPointError as error:
    print(f'alae: {error}', file=sys.stderr)
    return 1
  return 0


def reason(error: Exception) -> str:
  """What an exception says, in one line and without a KeyError's quotes."""
  message = error.args[0] if len(error.args) == 1 else error
  return ' '.join(str(message).split()) or type(error).__name__
