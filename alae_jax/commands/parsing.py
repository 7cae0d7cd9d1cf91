"""The parser of every command line."""

import argparse
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
  """A parser that says in one line what is wrong, and knows its flags.

  Attributes:
    flags: the options, such as '--out'.
  """

  def __init__(self, *args: Any, **kwargs: Any):
    self.flags: set[str] = set()
    super().__init__(*args, **kwargs | {'allow_abbrev': False})

  def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
    """As in argparse."""
    action = super().add_argument(*args, **kwargs)
    self.flags.update(action.option_strings)
    return action

  def error(self, message: str) -> NoReturn:
    """Leaves with status 2."""
    self.exit(2, f'{self.prog}: {message}; see {self.prog} --help\n')
