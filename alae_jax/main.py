"""Trains an ALAE: the project's main job.

  python -m alae_jax.main --config=digits --workdir=runs/digits

The same command continues a run that was interrupted. Fields of the config are
overridden on the command line: --config.train.seed=1
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from alae_jax.commands import train
from alae_jax.commands.leaving import leave
from alae_jax.commands.parsing import Parser
from alae_jax.errors import exit_status


def main(argv: Sequence[str] | None = None) -> int:
  """The entry point of `python -m alae_jax.main`."""
  parser = Parser(
    prog='python -m alae_jax.main',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    overrides=True,
  )
  train.add_arguments(parser)
  words = sys.argv[1:] if argv is None else argv
  parser.check_options(words)
  args, overrides = parser.parse_known_args(words)
  return exit_status(lambda: train.run(args, overrides), parser.flags)


def run() -> NoReturn:
  """The same, as a process."""
  leave(main())


if __name__ == '__main__':
  run()
