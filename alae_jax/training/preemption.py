"""Leaving cleanly when a machine is taken away or the user presses Ctrl-C."""

import os
import signal
import socket
import threading
from collections.abc import Callable

import jax
from jax.experimental import multihost_utils

_CAUGHT = (signal.SIGTERM, signal.SIGINT)


class Preemption:
  """Catches SIGTERM and SIGINT, so that the loop can save and leave.

  A second signal ends the process at once, where it is a command's own; in a
  notebook or a user's program it raises KeyboardInterrupt instead. In a job of
  several processes SIGTERM to any of them stops all after the same step: jax,
  which catches it then, tells the others. SIGINT has its usual effect there.
  """

  def __init__(
    self, announce: Callable[[str], None], owns_process: bool = False
  ) -> None:
    """Hears nothing yet.

    Args:
      announce: says a line to the user, called with a signal's name.
      owns_process: whether a second signal may end the process.
    """
    self.signal_name = ''
    self._announce = announce
    self._owns_process = owns_process
    self._handled = 0
    self._handlers: dict[int, object] = {}
    self._polls = 0

  def __enter__(self) -> 'Preemption':
    if (
      jax.process_count() == 1
      and threading.current_thread() is threading.main_thread()
    ):
      self._listen()
    return self

  def __exit__(self, *_) -> None:
    if not self._handlers:
      return
    signal.set_wakeup_fd(self._wakeup_before)
    for number, handler in self._handlers.items():
      signal.signal(number, handler)  # type: ignore[arg-type]
    self._handlers.clear()
    self._sender.close()  # ends the listener
    self._listener.join()
    self._receiver.close()

  @property
  def status(self) -> int:
    """The exit status that tells of the signal, 128 and its number."""
    return 128 + signal.Signals[self.signal_name]

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

  def _listen(self) -> None:
    """Has a thread of its own hear signals.

    Python runs handlers in the main thread, which may compile or wait for a
    step, for minutes; the number of a signal comes down a socket at once.
    """
    self._receiver, self._sender = socket.socketpair()
    self._sender.setblocking(False)
    self._wakeup_before = signal.set_wakeup_fd(self._sender.fileno())
    for number in _CAUGHT:
      self._handlers[number] = signal.signal(number, self._handle)
    self._listener = threading.Thread(target=self._hear, daemon=True)
    self._listener.start()

  def _hear(self) -> None:
    count = 0
    while heard := self._receiver.recv(1):
      if heard[0] not in _CAUGHT:
        continue
      count += 1
      if count > 1 and self._owns_process:
        os._exit(128 + heard[0])
      self._note(heard[0])
      if count == 1:
        self._announce(self.signal_name)

  def _handle(self, number: int, _frame: object) -> None:
    """In the main thread, as soon as that is free."""
    self._note(number)
    self._handled += 1
    if self._handled > 1 and not self._owns_process:
      raise KeyboardInterrupt

  def _note(self, number: int) -> None:
    self.signal_name = self.signal_name or signal.Signals(number).name
