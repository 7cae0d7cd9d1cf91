"""Making all shards of a dataset on many machines, with Apache Beam.

An element is a shard. A worker lists the source for itself, which must be where
it can be read under the same name (gs://, or a disk that all share), makes the
shard's pieces on its own disk with the same functions as a single machine, and
puts its files into the staging folder.
"""

import functools
import os
import tempfile
from collections.abc import Sequence
from typing import Any

from etils import epath

from alae_jax import storage
from alae_jax.data.preparing import plans, shards
from alae_jax.data.preparing.plans import Plan
from alae_jax.data.preparing.wishes import Wishes
from alae_jax.errors import Failure, UserError

# All that a worker needs to make the plan again.
Request = tuple[str, str, str, Wishes]


def make_shards(
  plan: Plan,
  request: Request,
  recipe: shards.Recipe,
  cut: Sequence[shards.Shard],
  options: Sequence[str],
) -> None:
  """Makes all shards that are missing.

  Args:
    plan: what is made.
    request: name, source, data_dir and wishes, from which it follows.
    recipe: its folder is the staging folder.
    cut: the shards.
    options: Beam's own, such as runner=DataflowRunner.

  Raises:
    UserError: Beam is not installed, or refuses the options.
  """
  try:
    import apache_beam
    from apache_beam.options.pipeline_options import PipelineOptions
  except ImportError:
    raise UserError(
      "beam_options need Apache Beam: pip install 'alae_jax[beam]'"
    ) from None
  left = [s for s in cut if not shards.report_path(recipe, s).exists()]
  if not left:
    return
  try:
    flags = PipelineOptions([f'--{option.lstrip("-")}' for option in options])
    pipeline = apache_beam.Pipeline(options=flags)
  except (ValueError, SystemExit) as error:
    raise UserError(f'beam_options: {error}') from None
  make = functools.partial(
    make_shard, request, plan.fingerprint, recipe.levels, str(recipe.folder)
  )
  with pipeline as begun:
    _ = (
      begun
      | 'shards' >> apache_beam.Create(left)
      # Else a runner may take them all for one piece of work.
      | 'apart' >> apache_beam.Reshuffle()
      | 'make' >> apache_beam.Map(make)
    )


def make_shard(
  request: Request,
  fingerprint: str,
  levels: tuple[int, ...],
  staging: str,
  shard: shards.Shard,
) -> str:
  """Makes one shard on a worker; returns its name.

  Raises:
    Failure: the source is not the same here.
  """
  plan = _plan(request)
  if plan.fingerprint != fingerprint:
    raise Failure(
      f'source {plan.source.path} on this worker is not the one that the job '
      'was started with'
    )
  shared = epath.Path(staging)
  with tempfile.TemporaryDirectory() as here:
    local = epath.Path(here)
    recipe = shards.Recipe(plan.source.reader, plan.treatment, levels, local)
    for folder in ('pieces', 'shards'):
      (local / folder).mkdir()
    pieces = shard.pieces(shards.piece_size(plan.treatment.resolution))
    for piece in pieces:
      shards.make_piece(recipe, plan.task(piece))
    shards.finish_shard(recipe, shard, pieces)
    report = shards.report_path(recipe, shard).name
    files = sorted(os.listdir(local / 'shards'))
    # The report, by which a shard is known to be there, goes last.
    for name in sorted(files, key=lambda name: name == report):
      _put(local / 'shards' / name, shared / 'shards' / name)
  return shard.name


def _put(source: epath.Path, target: epath.Path) -> None:
  """Copies a file, which appears when it is whole, as objects always do."""
  if storage.is_remote(target):
    source.copy(target, overwrite=True)
    return
  partial = target.parent / f'{target.name}.partial'
  source.copy(partial, overwrite=True)
  partial.replace(target)


@functools.lru_cache(maxsize=1)
def _plan(request: Request) -> Any:
  """The plan, which a worker process makes once."""
  name, source, data_dir, wishes = request
  return plans.make_plan(name, source, data_dir, wishes)
