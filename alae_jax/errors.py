"""The one exception that means "the user can fix this"."""

import sys
from collections.abc import Callable


class UserError(Exception):
  """A mistake in a command, config or file, told in one line.

  The message names the field, file or value and says what to do.
  """


def exit_status(command: Callable[[], None]) -> int:
  """Runs a command: 0, or 2 after one line for a mistake of the user's.

  A number that is not finite stops a run with 1 and one line: no traceback
  would say more.
  """
  try:
    command()
  except UserError as error:
    print(f'alae: {error}', file=sys.stderr)
    return 2
  except FloatingPointError as error:
    print(f'alae: {error}', file=sys.stderr)
    return 1
  return 0
