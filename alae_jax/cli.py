"""`alae VERB`: the front door."""

import argparse
import dataclasses
import re
import sys
from collections.abc import Callable, Sequence

from absl import logging

from alae_jax import __version__
from alae_jax.commands import (
  directions,
  evaluate,
  export,
  generate,
  import_,
  interpolate,
  mix,
  prepare,
  reconstruct,
  train,
  traverse,
)
from alae_jax.commands.parsing import Parser
from alae_jax.errors import UserError, exit_status


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
    train.add_arguments,
    train.run,
    overrides=True,
  ),
  'prepare': Verb(
    'make a dataset to train on',
    'alae prepare mnist --data_dir data',
    prepare.add_arguments,
    prepare.run,
  ),
  'evaluate': Verb(
    'compute metrics of a trained model',
    'alae evaluate runs/digits --metrics probe',
    evaluate.add_arguments,
    evaluate.run,
  ),
  'generate': Verb(
    'make images from seeds',
    'alae generate runs/digits --seeds 0-15 --truncation 0.7 --out images',
    generate.add_arguments,
    generate.run,
  ),
  'reconstruct': Verb(
    'encode and decode your own images, and measure what is lost',
    'alae reconstruct runs/faces photos/ --out reconstructed',
    reconstruct.add_arguments,
    reconstruct.run,
  ),
  'interpolate': Verb(
    'go from one image or seed to another in w',
    'alae interpolate runs/faces me.jpg 7 --format png,gif --out between',
    interpolate.add_arguments,
    interpolate.run,
  ),
  'mix': Verb(
    'mix the styles of images or seeds (StyleALAE)',
    'alae mix runs/faces --sources 0-4 --destinations me.jpg 5-6 --out mixed',
    mix.add_arguments,
    mix.run,
  ),
  'traverse': Verb(
    'move images or seeds along a direction in w',
    'alae traverse runs/faces me.jpg --direction direction_smile.npy '
    '--range -3,3 --out smiling',
    traverse.add_arguments,
    traverse.run,
  ),
  'directions': Verb(
    'find directions in w, from labels or without',
    'alae directions runs/faces --method labels --labels smiles.csv '
    '--out found',
    directions.add_arguments,
    directions.run,
  ),
  'import': Verb(
    "make a run folder of a checkpoint of the authors' PyTorch release",
    'alae import model_194.pth --workdir runs/ffhq',
    import_.add_arguments,
    import_.run,
    overrides=True,
  ),
  'export': Verb(
    'write a trained model in a format of others',
    'alae export runs/ffhq --format release --out exported',
    export.add_arguments,
    export.run,
  ),
}


def build_parsers() -> tuple[Parser, dict[str, Parser]]:
  """The parser of everything, and that of each verb."""
  parser = Parser(
    prog='alae',
    description='Adversarial Latent Autoencoders in JAX.',
  )
  parser.add_argument('--version', action='version', version=__version__)
  verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True)
  by_verb: dict[str, Parser] = {}
  for name, verb in VERBS.items():
    by_verb[name] = verbs.add_parser(
      name,
      help=verb.summary,
      description=verb.summary,
      epilog=f'example: {verb.example}',
    )
    verb.add_arguments(by_verb[name])
  return parser, by_verb


def _join_negative(words: Sequence[str]) -> list[str]:
  """['--range', '-3,3'] -> ['--range=-3,3'], which argparse can read."""
  joined: list[str] = []
  for word in words:
    if re.match(r'-\d', word) and joined and joined[-1].startswith('--'):
      joined[-1] += f'={word}'
    else:
      joined.append(word)
  return joined


def main(argv: Sequence[str] | None = None) -> int:
  """The console command `alae`."""
  parser, by_verb = build_parsers()
  words = _join_negative(sys.argv[1:] if argv is None else argv)
  args, rest = parser.parse_known_args(words)
  verb = VERBS[args.verb]

  def command() -> None:
    if verb.overrides:
      verb.run(args, rest)
    elif rest:
      raise UserError(
        f'unknown argument {rest[0]}; see alae {args.verb} --help'
      )
    else:
      # Orbax warns of every checkpoint that is opened to be read.
      logging.set_verbosity(logging.ERROR)
      verb.run(args)

  return exit_status(command, by_verb[args.verb].flags)


if __name__ == '__main__':
  sys.exit(main())
