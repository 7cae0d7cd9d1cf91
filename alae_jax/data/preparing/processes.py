"""Making all shards of a dataset on this machine, by all its cores."""

import os
from collections.abc import Iterator, Sequence

from alae_jax import progress
from alae_jax.data.preparing import assembly, shards
from alae_jax.data.preparing.plans import Plan
from alae_jax.data.preparing.workers import Job, Workers

# Below this much work, a quarter of a minute, processes are not worth starting.
_PIXELS_FOR_PROCESSES = 1 << 25


def make_shards(
  plan: Plan,
  recipe: shards.Recipe,
  cut: Sequence[shards.Shard],
  bad_files: str,
  workers: int | None,
) -> None:
  """Makes all shards that are missing, a piece at a time, in parallel.

  Raises:
    UserError: most of the images can't be used, and bad ones are not skipped.
  """
  side = plan.treatment.resolution
  total = sum(shard.stop - shard.start for shard in cut)
  left = [s for s in cut if not shards.report_path(recipe, s).exists()]
  done = total - sum(shard.stop - shard.start for shard in left)
  processes = _processes(plan, workers)
  shown = progress.start(f'{plan.name} {side}x{side}', total, done, 'images')
  seen, bad = 0, []
  try:
    with Workers(processes, recipe) as pool:
      jobs = _Jobs(plan, left)
      for (function, arguments), outcome in pool.outcomes(jobs):
        if function is shards.make_piece:
          shown.update(len(arguments[0].names))
          jobs.finished(arguments[0].piece)
          seen += len(arguments[0].names)
          bad += outcome
          if bad_files == 'fail':
            assembly.check_hope(plan.source, bad, seen)
  finally:
    shown.close()


def is_little(plan: Plan) -> bool:
  """Whether it is done in less time than it is worth to start processes."""
  images = sum(len(indices) for indices in plan.splits.values())
  return images * plan.treatment.resolution**2 <= _PIXELS_FOR_PROCESSES


def _processes(plan: Plan, workers: int | None) -> int:
  """How many processes to start; 0: none."""
  if workers is None:
    workers = 1 if is_little(plan) else len(os.sched_getaffinity(0))
  return workers if workers > 1 else 0


class _Jobs(Iterator[Job]):
  """Pieces in order; when a shard has all of its own, its files at once."""

  def __init__(self, plan: Plan, left: Sequence[shards.Shard]):
    self._plan = plan
    self._size = shards.piece_size(plan.treatment.resolution)
    self._missing = {shard: len(shard.pieces(self._size)) for shard in left}
    self._pieces = (p for shard in left for p in shard.pieces(self._size))
    self._whole: list[shards.Shard] = []

  def __next__(self) -> Job:
    if self._whole:
      shard = self._whole.pop()
      pieces = shard.pieces(self._size)
      return shards.finish_shard, (shard, pieces)
    return shards.make_piece, (self._plan.task(next(self._pieces)),)

  def finished(self, piece: shards.Piece) -> None:
    """A piece is there."""
    self._missing[piece.shard] -= 1
    if not self._missing[piece.shard]:
      self._whole.append(piece.shard)
