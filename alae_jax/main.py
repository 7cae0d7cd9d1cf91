"""Trains an ALAE: the project's main job.

  python -m alae_jax.main --config=experiments/digits.py --workdir=runs/digits

The same command continues a run that was interrupted. Fields of the config are
overridden on the command line: --config.train.seed=1
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence

import jax
import ml_collections
from absl import flags
from ml_collections import config_flags

from alae_jax import config as config_lib
from alae_jax import dry_run, loop
from alae_jax.errors import UserError, exit_status


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae train`, besides --config.field=value."""
  parser.add_argument(
      '--config', required=True, metavar='FILE.py',
      help='a file of experiments/, or your own; --config.section.field=value '
      'overrides a field')
  parser.add_argument(
      '--workdir', metavar='DIR',
      help='the run folder, local or remote (gs://...); a run that it holds '
      'is continued')
  parser.add_argument(
      '--dry-run', action='store_true',
      help='print the resolved config, sizes, steps and memory; train nothing')
  parser.add_argument(
      '--distributed', action='store_true',
      help='join the other processes of a pod or cluster before training '
      '(jax.distributed.initialize)')


def run(args: argparse.Namespace, overrides: Sequence[str]) -> None:
  """Does what the parsed command line says.

  Args:
    args: of `add_arguments`.
    overrides: what the parser left over, --config.section.field=value.
  """
  config = read_config(args.config, overrides)
  if args.distributed:
    jax.distributed.initialize()
  if args.dry_run:
    print(dry_run.describe(config))
  elif not args.workdir:
    raise UserError('--workdir is missing: name the folder of the run')
  else:
    loop.train(config, args.workdir)


def read_config(path: str,
                overrides: Sequence[str] = ()) -> ml_collections.ConfigDict:
  """Loads a config file and overrides fields of it.

  Args:
    path: of a Python file with a function get_config().
    overrides: --config.section.field=value, as on the command line.

  Raises:
    UserError: no such file, no such field or a value of another type.
  """
  for word in overrides:
    if word.startswith('-') and not word.startswith('--config.'):
      raise UserError(f'unknown argument {word}; see --help')
  if not path.endswith('.py') or not pathlib.Path(path).is_file():
    raise UserError(f'--config={path} is not a Python file: give one of '
                    'experiments/, or your own')
  values = flags.FlagValues()
  arguments = ['alae', f'--config={path}', *overrides]
  config_flags.DEFINE_config_file(
      'config', lock_config=True, flag_values=values, sys_argv=arguments)
  try:
    rest = values(arguments)
    config = values['config'].value
  except (AttributeError, KeyError) as error:
    if 'get_config' in str(error):
      raise UserError(f'{path} has no function get_config()') from error
    raise UserError(
        f'no such config field: {config_lib.one_line(error)}') from error
  except (OSError, TypeError, ValueError, flags.Error) as error:
    raise UserError(config_lib.one_line(error)) from error
  if len(rest) > 1:
    raise UserError(f'unexpected argument {rest[1]!r}; see --help')
  return config


def main(argv: Sequence[str] | None = None) -> int:
  """The entry point of `python -m alae_jax.main`."""
  parser = argparse.ArgumentParser(
      prog='python -m alae_jax.main', description=__doc__, allow_abbrev=False,
      formatter_class=argparse.RawDescriptionHelpFormatter)
  add_arguments(parser)
  args, overrides = parser.parse_known_args(argv)
  return exit_status(lambda: run(args, overrides))


if __name__ == '__main__':
  sys.exit(main())
