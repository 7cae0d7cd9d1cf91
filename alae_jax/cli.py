"""`alae VERB`: the front door."""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence

from alae_jax import __version__, commands, exporting
from alae_jax import main as train_command
from alae_jax.data import prepare
from alae_jax.errors import UserError, exit_status
from alae_jax.interop import importing


@dataclasses.dataclass(frozen=True)
class Verb:
  """A verb: what it says of itself, its arguments and what it does.

  Attributes:
    summary: one line.
    example: a whole command.
    add_arguments: to a parser of its own.
    run: takes the arguments; with `overrides` also what the parser left over.
    overrides: whether it takes --config.section.field=value.
  """

  summary: str
  example: str
  add_arguments: Callable[[argparse.ArgumentParser], None]
  run: Callable[..., None]
  overrides: bool = False


VERBS = {
    'train': Verb(
        'train, or continue what the run folder holds',
        'alae train --config=experiments/digits.py --workdir=runs/digits',
        train_command.add_arguments, train_command.run, overrides=True),
    'prepare': Verb(
        'make a dataset to train on',
        'alae prepare mnist --data_dir data',
        prepare.add_arguments, prepare.run),
    'evaluate': Verb(
        'compute metrics of a trained model',
        'alae evaluate runs/digits --metrics probe',
        commands.add_evaluate_arguments, commands.evaluate),
    'import': Verb(
        "make a run folder of a checkpoint of the authors' PyTorch release",
        'alae import model_194.pth --workdir runs/ffhq',
        importing.add_arguments, importing.run, overrides=True),
    'export': Verb(
        'write a trained model in a format of others',
        'alae export runs/ffhq --format release --out exported',
        exporting.add_arguments, exporting.run),
}


def build_parser() -> argparse.ArgumentParser:
  """The parser of all verbs."""
  parser = argparse.ArgumentParser(
      prog='alae', description='Adversarial Latent Autoencoders in JAX.',
      allow_abbrev=False)
  parser.add_argument('--version', action='version', version=__version__)
  verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True)
  for name, verb in VERBS.items():
    verb.add_arguments(verbs.add_parser(
        name, help=verb.summary, description=verb.summary,
        epilog=f'example: {verb.example}', allow_abbrev=False))
  return parser


def main(argv: Sequence[str] | None = None) -> int:
  """The console command `alae`."""
  parser = build_parser()
  args, rest = parser.parse_known_args(argv)
  verb = VERBS[args.verb]

  def command() -> None:
    if verb.overrides:
      verb.run(args, rest)
    elif rest:
      raise UserError(f'unknown argument {rest[0]}; see alae {args.verb} '
                      '--help')
    else:
      verb.run(args)

  return exit_status(command)


if __name__ == '__main__':
  sys.exit(main())
