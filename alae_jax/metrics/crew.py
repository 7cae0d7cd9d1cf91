"""Who computes a metric: processes and devices, over many images.

Every device is given as many rows in every call, so a number does not depend
on how many devices there are: sums in one program are always added alike.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from alae_jax import progress, sharding

_READERS = 4  # threads, each of which makes a batch ahead


class Stopped(Exception):
  """Someone wants the process to leave: there is no number."""


def _never() -> bool:
  return False


@dataclasses.dataclass(frozen=True)
class Crew:
  """The devices of this process, and its share of the images.

  Attributes:
    mesh: the devices.
    process: which process this is.
    processes: how many there are: of n each takes every n-th row.
    stops: asked before every batch, equally often in every process, and all
      get the same answer: whether to leave off.
  """

  mesh: Mesh
  process: int = 0
  processes: int = 1
  stops: Callable[[], bool] = _never

  def each(
    self,
    function: Callable[..., jax.Array],
    count: int,
    batch_of: Callable[[np.ndarray], tuple[Any, ...]],
    rows: int,
    title: str,
  ) -> Iterator[Any]:
    """Applies a function to this process's share of `count` rows, in order.

    Args:
      function: of a batch's arrays, whose first axis is split over the
        devices; rows do not see one another. It returns arrays of as many
        rows.
      count: rows in all.
      batch_of: indices [N] -> arrays of N rows each. Threads call it.
      rows: that each device is given in a call.
      title: what is done.

    Yields:
      What the function gives for a batch, in the host's memory, without the
      rows that only fill up.

    Raises:
      Stopped: `stops` says so.
    """
    size = rows * self.mesh.size
    mine = self._mine(count)
    most = math.ceil(count / self._sharing(count))
    parts = [mine[first : first + size] for first in range(0, most, size)]
    over_devices = sharding.over_batch(self.mesh)
    shown = progress.start(title, len(mine), unit='images', delay=2)
    waiting: list[tuple[int, Any]] = []
    begun = False
    try:
      for part, batch in zip(parts, _ahead(batch_of, parts), strict=True):
        if self.stops():
          raise Stopped
        if batch is None:  # another process has one row more
          continue
        filled = np.minimum(np.arange(size), len(part) - 1)
        # The first call takes so long because it compiles; a processor also
        # computes before it returns.
        telling = (
          contextlib.nullcontext() if begun else progress.telling('compiling')
        )
        begun = True
        with telling:
          placed = [jax.device_put(x[filled], over_devices) for x in batch]
          waiting.append((len(part), function(*placed)))
        if len(waiting) > 1:  # fetched while the next one is computed
          yield _fetched(*waiting.pop(0), shown)
      for one in waiting:
        yield _fetched(*one, shown)
    finally:
      shown.close()

  def rows(
    self,
    function: Callable[..., jax.Array],
    count: int,
    batch_of: Callable[[np.ndarray], tuple[Any, ...]],
    rows: int,
    title: str,
    then: Callable[[Any], np.ndarray] = np.asarray,
  ) -> np.ndarray:
    """Like `each`: the rows of all processes, [count, ...], in order.

    Args:
      function: see `each`.
      count: see `each`.
      batch_of: see `each`.
      rows: see `each`.
      title: see `each`.
      then: what the function gives for a batch -> its rows, on the host.
    """
    batches = self.each(function, count, batch_of, rows, title)
    found = np.concatenate([then(batch) for batch in batches])
    if self._sharing(count) == 1:
      return found
    block = -(-count // self.processes)
    full = np.zeros((block, *found.shape[1:]), found.dtype)
    full[: len(found)] = found
    of_all = sharding.gather(full).swapaxes(0, 1)
    return of_all.reshape(-1, *found.shape[1:])[:count]

  def total(self, array: np.ndarray, count: int) -> np.ndarray:
    """A sum over this process's share of `count` rows -> over all."""
    return sharding.gather(array).sum(0) if self._sharing(count) > 1 else array

  def agree(self, holds: bool) -> bool:
    """Whether something holds in every process."""
    return bool(sharding.gather(np.array(holds)).all())

  def _sharing(self, count: int) -> int:
    """How many processes share: with too few rows each computes all."""
    return self.processes if count >= self.processes else 1

  def _mine(self, count: int) -> np.ndarray:
    sharing = self._sharing(count)
    return np.arange(count)[self.process % sharing :: sharing]


def _fetched(number: int, result: Any, shown: Any) -> Any:
  """The rows of a batch that do not only fill up, in the host's memory."""
  rows = jax.tree.map(lambda x: np.asarray(x)[:number], result)
  shown.update(number)
  return rows


def _ahead(batch_of: Callable, parts: list[np.ndarray]) -> Iterator[Any]:
  """The batches in order, a few of which are being made meanwhile.

  Of no rows there is no batch, but None.
  """
  threads = min(_READERS, os.cpu_count() or 1)
  pool = concurrent.futures.ThreadPoolExecutor(threads)

  def make(part: np.ndarray) -> concurrent.futures.Future:
    return pool.submit(lambda: batch_of(part) if len(part) else None)

  try:
    made = collections.deque(make(part) for part in parts[:threads])
    for part in parts[threads:]:
      made.append(make(part))
      yield made.popleft().result()
    while made:
      yield made.popleft().result()
  finally:
    pool.shutdown(cancel_futures=True)
