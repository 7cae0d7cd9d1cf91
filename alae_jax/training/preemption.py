"""Leaving cleanly when a machine is taken away or the user presses Ctrl-C."""

import signal

import jax
from jax.experimental import multihost_utils


class Preemption:
  """Catches SIGTERM and SIGINT, so that the loop can save and leave.

  A second signal of the same kind has its usual effect. In a job of several
  processes SIGTERM to any of them stops all after the same step: jax, which
  catches it then, tells the others. SIGINT has its usual effect there.
  """

  def __init__(self) -> None:
    self.signal_name = ''
    self._handlers: dict[int, object] = {}
    self._polls = 0

  def __enter__(self) -> 'Preemption':
    if jax.process_count() == 1:
      for number in (signal.SIGTERM, signal.SIGINT):
        self._handlers[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *_) -> None:
    for number in list(self._handlers):
      self._restore(number)

  def reached(self) -> bool:
    """Whether to stop after this step; all processes give the same answer.

    Ask once a step: jax agrees on the step by counting the questions.
    """
    self._polls += 1
    if (
      jax.process_count() > 1
      and multihost_utils.reached_preemption_sync_point(self._polls)
    ):
      self.signal_name = 'SIGTERM'
    return bool(self.signal_name)

  def _note(self, number: int, _frame) -> None:
    self.signal_name = signal.Signals(number).name
    self._restore(number)

  def _restore(self, number: int) -> None:
    handler = self._handlers.pop(number, None)
    if handler is not None:
      signal.signal(number, handler)  # type: ignore[arg-type]
