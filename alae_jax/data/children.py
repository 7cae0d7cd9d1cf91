"""What the processes that read and decode owe to the one that started them."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading

import cv2


def begin(*_: int) -> None:
  """In a new process: does its part, and leaves when its parent does, however.

  It would wait for work for ever. Ctrl-C is the parent's to hear, and there is
  a process for every core already.
  """
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  cv2.setNumThreads(1)
  parent = multiprocessing.parent_process()
  assert parent is not None

  def watch() -> None:
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)

  threading.Thread(target=watch, daemon=True).start()
