"""Trains an ALAE: the project's main job.

  python -m alae_jax.main --config=experiments/digits.py --workdir=runs/digits

The same command continues a run that was interrupted. Fields of the config are
overridden on the command line: --config.train.seed=1
"""

import argparse
import re
import sys
from collections.abc import Sequence

import jax

from alae_jax.config.files import read_config
from alae_jax.errors import UserError, exit_status
from alae_jax.training import loop
from alae_jax.training import plan as dry_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae train`, besides --config.field=value."""
  parser.add_argument(
    '--config',
    required=True,
    metavar='FILE',
    help="a file of experiments/, your own, or a run's config.json; "
    '--config.section.field=value overrides a field',
  )
  parser.add_argument(
    '--workdir',
    metavar='DIR',
    help='the run folder, local or remote (gs://...); a run that it holds '
    'is continued',
  )
  parser.add_argument(
    '--dry-run',
    action='store_true',
    help='print the resolved config, sizes, steps and memory; train nothing',
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
  config = read_config(args.config, overrides)
  if args.distributed is not None:
    join_processes(args.distributed)
  if args.dry_run:
    print(dry_run.describe(config))
  elif not args.workdir:
    raise UserError('--workdir is missing: name the folder of the run')
  else:
    loop.train(config, args.workdir)


def join_processes(address: str) -> None:
  """Connects the processes of a job, which must all be started.

  Args:
    address: 'HOST:PORT,N,I', or '' where jax can find out.

  Raises:
    UserError: it is something else, or jax can't find out.
  """
  if not address:
    try:
      return jax.distributed.initialize()
    except ValueError as error:
      raise UserError(f'--distributed: {error} Give HOST:PORT,N,I') from error
  match = re.fullmatch(r'([^,]+:\d+),(\d+),(\d+)', address)
  if not match or int(match[3]) >= int(match[2]):
    raise UserError(
      f'--distributed={address}: it must be HOST:PORT,N,I, as '
      '10.0.0.1:1234,4,0 for the first of four processes'
    )
  return jax.distributed.initialize(match[1], int(match[2]), int(match[3]))


def main(argv: Sequence[str] | None = None) -> int:
  """The entry point of `python -m alae_jax.main`."""
  parser = argparse.ArgumentParser(
    prog='python -m alae_jax.main',
    description=__doc__,
    allow_abbrev=False,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  add_arguments(parser)
  args, overrides = parser.parse_known_args(argv)
  return exit_status(lambda: run(args, overrides))


if __name__ == '__main__':
  sys.exit(main())
