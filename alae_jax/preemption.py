"""Leaving cleanly when a machine is taken away or the user presses Ctrl-C."""

import signal

import jax
from jax.experimental import multihost_utils


class Preemption:
  """Catches SIGTERM and SIGINT, so that the loop can save and leave.

  A second signal of the same kind has its usual effect.
  """

  def __init__(self) -> None:
    self.signal_name = ''
    self._handlers: dict[int, object] = {}

  def __enter__(self) -> 'Preemption':
    for number in (signal.SIGTERM, signal.SIGINT):
      self._handlers[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *_) -> None:
    for number in list(self._handlers):
      self._restore(number)

  def reached(self, step: int) -> bool:
    """Whether to stop after this step; all processes give the same answer."""
    if jax.process_count() > 1:
      if multihost_utils.reached_preemption_sync_point(step):
        self.signal_name = self.signal_name or 'preemption'
        return True
      return False
    return bool(self.signal_name)

  def _note(self, number: int, _frame) -> None:
    self.signal_name = signal.Signals(number).name
    self._restore(number)

  def _restore(self, number: int) -> None:
    handler = self._handlers.pop(number, None)
    if handler is not None:
      signal.signal(number, handler)  # type: ignore[arg-type]
