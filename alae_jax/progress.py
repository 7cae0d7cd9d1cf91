"""How far long work has come: a bar on a terminal, plain lines in a log.

In a notebook it is tqdm's own bar, or without ipywidgets one line, rewritten.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, TextIO, TypeVar

import tqdm

Item = TypeVar('Item')

# Threads speak too. Left to itself tqdm makes its lock when it is first needed:
# two threads that need it at once make two, and then one waits for ever.
tqdm.tqdm.set_lock(threading.RLock())

# Of plain lines: a log of days should stay readable.
SECONDS_TO_FIRST_LINE = 10.0
SECONDS_BETWEEN_LINES = 60.0
SECONDS_BETWEEN_REWRITINGS = 2.0  # of a line in a notebook
# What takes less time needs no explanation.
SECONDS_BEFORE_TELLING = 1.0


def say(line: str) -> None:
  """Writes a line to the standard error, above a bar where there is one.

  In a notebook to the standard output: what is in red there looks wrong.
  """
  write(line, sys.stdout if in_notebook() else sys.stderr)


def write(line: str, file: TextIO) -> None:
  """Writes a line to a file, above a bar where there is one.

  A notebook's bars are no lines that others would tear, and to draw them anew,
  as tqdm does, fails where another thread is just making one.
  """
  if in_notebook():
    print(line, file=file, flush=True)
    return
  tqdm.tqdm.write(line, file=file)
  file.flush()


class Lines:
  """Progress where there is no terminal: a plain line now and then."""

  def __init__(
    self,
    title: str,
    total: int | None = None,
    initial: int = 0,
    unit: str = '',
    say: Callable[[str], None] = say,
    seconds: tuple[float, float] | None = None,
  ):
    """Says nothing yet.

    Args:
      title: what is done.
      total: how much of it there is, if that is known.
      initial: how much was done before.
      unit: what is counted, in the plural.
      say: writes a line.
      seconds: to the first line, and from each to the next; None for a log's.
    """
    self._title, self._total, self._unit = title, total, unit
    self._done = initial
    self._facts = ''
    self._say = say
    self._to_first, self._between = seconds or (
      SECONDS_TO_FIRST_LINE,
      SECONDS_BETWEEN_LINES,
    )
    # Speed is measured from the last line, or from the first sign of work: what
    # comes before it, such as a compilation, comes once.
    self._window: tuple[float, int] | None = None
    self._due = 0.0

  def update(self, number: int = 1) -> None:
    """So much more is done."""
    self._done += number
    now = time.monotonic()
    if self._window is None:
      self._window, self._due = (now, self._done), now + self._to_first
    elif now >= self._due:
      self._say(self.line(now))
      self._window, self._due = (now, self._done), now + self._between

  def set_description(self, title: str, refresh: bool = False) -> None:
    """What is done from now on."""
    self._title = title

  def set_postfix_str(self, facts: str, refresh: bool = False) -> None:
    """What else the next lines tell."""
    self._facts = facts

  def close(self) -> None:
    """Nothing is left to tidy."""

  def line(self, now: float) -> str:
    """Such as '8x8: 640 of 1,280 images (50%), 64.0/s, 00:10 left'."""
    then, done = self._window or (now, self._done)
    speed = (self._done - done) / max(now - then, 1e-9)
    parts = [f'{self._done:,} {self._unit}'.rstrip(), f'{speed:,.1f}/s']
    if self._total:
      share = self._done / self._total
      parts[0] = (
        f'{self._done:,} of {self._total:,} {self._unit}'.rstrip()
        + f' ({share:.0%})'
      )
      left = (self._total - self._done) / max(speed, 1e-9)
      parts.append(f'{tqdm.tqdm.format_interval(left)} left')
    return f'{self._title}: ' + ', '.join(
      [*parts, *filter(None, [self._facts])]
    )


class Place:
  """A place in the output of a notebook's cell; what it shows can change."""

  def __init__(self) -> None:
    self._handle: Any = None

  def show(self, text: str, html: str | None = None) -> None:
    """Shows this, and no longer what was shown before.

    Args:
      text: for whoever shows no HTML.
      html: the same for a browser; None if the text will do.
    """
    from IPython.display import display

    forms = {'text/plain': text} | ({'text/html': html} if html else {})
    if self._handle is None:
      self._handle = display(forms, raw=True, display_id=True)
    else:
      self._handle.update(forms, raw=True)


def start(
  title: str,
  total: int | None = None,
  initial: int = 0,
  unit: str = '',
  say: Callable[[str], None] = say,
  **of_bar: Any,
) -> Any:
  """Progress as it suits the place: a bar, a notebook's bar, or `Lines`.

  Args:
    title: what is done.
    total: how much of it there is, if that is known.
    initial: how much was done before.
    unit: what is counted, in the plural.
    say: writes a line, where there is no bar.
    **of_bar: further arguments of tqdm.

  Returns:
    Something with update(n), set_description, set_postfix_str and close().
  """
  bar = _kind_of_bar()
  if bar is None and in_notebook():
    seconds = SECONDS_BETWEEN_REWRITINGS, SECONDS_BETWEEN_REWRITINGS
    return Lines(title, total, initial, unit, Place().show, seconds)
  if bar is None:
    return Lines(title, total, initial, unit, say)
  return bar(
    desc=title,
    total=total,
    initial=initial,
    unit=f' {unit}',
    dynamic_ncols=True,
    **{'smoothing': 0.05, 'mininterval': 0.5, 'leave': False} | of_bar,
  )


def over(
  items: Iterable[Item], title: str, total: int | None = None, unit: str = ''
) -> Iterator[Item]:
  """The items, telling how many have been taken once it takes a while."""
  if total is None and isinstance(items, Sized):
    total = len(items)
  shown = start(title, total, unit=unit, delay=2)
  try:
    for item in items:
      yield item
      shown.update()
  finally:
    shown.close()


@contextlib.contextmanager
def telling(what: str) -> Iterator[None]:
  """Says what is being done, if it is not done in a second."""
  timer = threading.Timer(SECONDS_BEFORE_TELLING, say, (f'{what} ...',))
  timer.daemon = True
  timer.start()
  try:
    yield
  finally:
    timer.cancel()


def draws_bars() -> bool:
  """Whether this place shows bars, and not lines."""
  return _kind_of_bar() is not None


def _kind_of_bar() -> Any:
  """The class of tqdm for this place; None where no bar can be drawn."""
  if in_notebook():
    try:
      import ipywidgets  # noqa: F401
      from tqdm import notebook
    except ImportError:
      return None
    return notebook.tqdm
  return tqdm.tqdm if sys.stderr.isatty() else None


def in_notebook() -> bool:
  """Whether this process is the kernel of a notebook."""
  shell = sys.modules.get('IPython')
  current = shell.get_ipython() if shell else None
  return getattr(current, 'kernel', None) is not None
