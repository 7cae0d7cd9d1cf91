"""Work shared out among processes, of which none outlives the one it is for."""

import concurrent.futures
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from alae_jax.data import children
from alae_jax.errors import Failure

# Work done or under way per worker: enough that none waits for more.
AHEAD = 3

Job = tuple[Callable[..., Any], tuple]
Outcome = tuple[Job, Any]


class Workers:
  """Does jobs in other processes, or in threads of this one.

  Processes are started anew and import what they need, which takes a second or
  two; a script that starts them must be one that can be imported
  (`if __name__ == '__main__'`).
  """

  def __init__(self, processes: int, common: Any):
    """Starts none yet.

    Args:
      processes: how many; 0: threads of this process, one a core.
      common: the first argument of every job, which processes get once.
    """
    self.size = processes or os.cpu_count() or 1
    self._pool: concurrent.futures.Executor
    if processes:
      self._pool = concurrent.futures.ProcessPoolExecutor(
        processes,
        multiprocessing.get_context('spawn'),
        _begin,
        (common,),
      )
      self._do: Callable[..., Any] = _do
    else:
      self._pool = concurrent.futures.ThreadPoolExecutor(self.size)
      self._do = lambda function, *rest: function(common, *rest)

  def __enter__(self) -> 'Workers':
    return self

  def __exit__(self, *_) -> None:
    self._pool.shutdown(wait=True, cancel_futures=True)

  def outcomes(self, jobs: Iterator[Job]) -> Iterator[Outcome]:
    """Does jobs a few at a time, and gives each as it is done.

    Args:
      jobs: function and further arguments of each; taken as there is room,
        so that what one outcome leads to can be put in before the rest.

    Raises:
      Failure: a process was killed.
    """
    under_way: dict[concurrent.futures.Future, Job] = {}
    try:
      while True:
        while len(under_way) < AHEAD * self.size:
          job = next(jobs, None)
          if job is None:
            break
          under_way[self._pool.submit(self._do, job[0], *job[1])] = job
        if not under_way:
          return
        done, _ = concurrent.futures.wait(
          under_way, return_when=concurrent.futures.FIRST_COMPLETED
        )
        for future in done:
          yield under_way.pop(future), future.result()
    except BrokenProcessPool:
      raise Failure(
        'a worker process was killed, perhaps for want of memory: the same '
        'command goes on; with fewer workers it takes less'
      ) from None


_common: Any = None  # of a worker process


def _do(function: Callable[..., Any], *arguments: Any) -> Any:
  return function(_common, *arguments)


def _begin(common: Any) -> None:
  """In a worker, before its first job."""
  global _common
  _common = common
  children.begin()
