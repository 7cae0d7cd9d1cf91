"""The parser of every command line."""

import argparse
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from alae_jax.errors import printable


class Parser(argparse.ArgumentParser):
  """A parser that says in one line what is wrong, and knows its flags.

  Attributes:
    flags: the options, such as '--out'.
    overrides: whether --config.section.field=value is for others to read.
  """

  def __init__(self, *args: Any, overrides: bool = False, **kwargs: Any):
    self.flags: set[str] = set()
    self.overrides = overrides
    super().__init__(*args, **kwargs | {'allow_abbrev': False})

  def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
    """As in argparse."""
    action = super().add_argument(*args, **kwargs)
    self.flags.update(action.option_strings)
    return action

  def error(self, message: str) -> NoReturn:
    """Leaves with status 2."""
    self.exit(2, f'{self.prog}: {printable(message)}; see {self.prog} --help\n')

  def check_options(self, words: Sequence[str]) -> None:
    """Leaves with status 2 where an option is unknown or given twice.

    argparse would complain of what is missing first, where the user has only
    misspelt it, and of two values keep the last without a word.
    """
    for word in words:
      if word.startswith('-') and word.endswith('=--'):
        self.error(f'{word}: -- is no value')  # argparse would drop it
    given: set[str] = set()
    for option in options_among(words):
      if option in given:
        self.error(f'{option} is given twice')
      given.add(option)
      if option not in self.flags and not (
        self.overrides and option.startswith('--config.')
      ):
        self.error(f'unknown argument {option}{self._suggest(option)}')

  def _suggest(self, option: str) -> str:
    head, dot, field = option.partition('.')
    if dot and self.overrides:
      near = difflib.get_close_matches(head, ['--config'])
      meant = field if near else option.lstrip('-')
      return f' (did you mean --config.{meant}?)'
    return suggest(option, self.flags)


def options_among(words: Sequence[str]) -> Iterator[str]:
  """'--out' of '--out' or '--out=x'; numbers and what follows -- are none."""
  for word in words:
    if word == '--':
      return
    if re.match(r'-[^\s\d.]', word) and ' ' not in word.partition('=')[0]:
      yield word.partition('=')[0]


def suggest(word: str, known: Iterable[str]) -> str:
  """' (did you mean --seeds?)' for --seed; '' where nothing is like it."""
  near = difflib.get_close_matches(word, sorted(known), n=1)
  return f' (did you mean {near[0]}?)' if near else ''
