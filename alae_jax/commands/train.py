"""`alae train`: trains, or continues what the run folder holds."""

import argparse
import functools
from collections.abc import Sequence

from alae_jax import progress
from alae_jax.commands import options
from alae_jax.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae train`, besides --config.field=value."""
  parser.add_argument(
    '--config',
    required=True,
    type=options.path,
    metavar='NAME|FILE',
    help='a recipe by its name, such as digits (another name tells which there '
    "are), your own file, or a run's config.json; "
    '--config.section.field=value overrides a field',
  )
  parser.add_argument(
    '--workdir',
    type=options.path,
    metavar='DIR',
    help='the run folder, local or remote (gs://...); a run that it holds '
    'is continued',
  )
  parser.add_argument(
    '--dry-run',
    action='store_true',
    help='print the resolved config, whether the data is there, sizes, memory, '
    'steps and warnings; train nothing',
  )
  parser.add_argument(
    '--change',
    action='store_true',
    help='let a run go on from its newest checkpoint with other rates, batch '
    'sizes, numbers of images and the like; config.json keeps what they were',
  )
  parser.add_argument(
    '--distributed',
    nargs='?',
    const='',
    metavar='HOST:PORT,N,I',
    help='join the other processes of a TPU pod, SLURM or MPI job; elsewhere '
    'say where process 0 listens, how many there are, and which this is',
  )


def run(args: argparse.Namespace, overrides: Sequence[str]) -> None:
  """Does what the parsed command line says.

  Args:
    args: of `add_arguments`.
    overrides: what the parser left over, --config.section.field=value.
  """
  with progress.telling('starting'):
    from alae_jax.config import read_config
    from alae_jax.training import joining, loop, opening, plan

  config = read_config(args.config, overrides)
  peers = None
  if args.distributed is not None:
    peers = joining.join(args.distributed)
  if args.dry_run:
    print(plan.describe(config))
    return
  if not args.workdir:
    raise UserError('--workdir is missing: name the folder of the run')
  # A notebook's process is not ours to end: a kernel runs commands too.
  owns_process = not progress.in_notebook()
  command = functools.partial(
    loop.train, config, args.workdir, args.change, owns_process, peers
  )
  if peers is None:
    command()
  else:
    part = functools.partial(opening.part, args.workdir)
    peers.do(command, part, flags=('--workdir', '--config'))
