"""`alae VERB`: the front door."""

import dataclasses
import importlib
import re
import shlex
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn

from alae_jax import __version__
from alae_jax.commands.leaving import leave
from alae_jax.commands.parsing import Parser, options_among, suggest
from alae_jax.errors import Failure, UserError, exit_status


@dataclasses.dataclass(frozen=True)
class Verb:
  """A verb: what it says of itself, and where the rest is.

  Attributes:
    summary: one line.
    example: a whole command.
    module: in alae_jax.commands, with add_arguments(parser), and run(args) or,
      with `overrides`, run(args, what the parser left over). It is imported
      when the verb is meant, and what takes long when it is run.
    overrides: whether it takes --config.section.field=value.
  """

  summary: str
  example: str
  module: str
  overrides: bool = False

  def load(self) -> ModuleType:
    """The module."""
    return importlib.import_module(f'alae_jax.commands.{self.module}')


VERBS = {
  'train': Verb(
    'train, or continue what the run folder holds',
    'alae train --config=digits --workdir=runs/digits',
    'train',
    overrides=True,
  ),
  'compile': Verb(
    'compile every level ahead of time: memory, traffic and about how fast',
    'alae compile --config=celebahq --topology=v5e:2x4',
    'compile',
    overrides=True,
  ),
  'prepare': Verb(
    'make a dataset to train on',
    'alae prepare mnist --data_dir data',
    'prepare',
  ),
  'data': Verb(
    'show what datasets are there, and check them',
    'alae data data --check',
    'data',
  ),
  'evaluate': Verb(
    'compute metrics of a trained model',
    'alae evaluate runs/digits --metrics probe',
    'evaluate',
  ),
  'weights': Verb(
    'fetch the published networks that metrics need, and say which they are',
    'alae weights inception --source pt_inception-2015-12-05-6726825d.pth',
    'weights',
  ),
  'plot': Verb(
    'draw the curves of runs: losses, speed and metrics over images seen',
    'alae plot runs/digits --out digits.png',
    'plot',
  ),
  'generate': Verb(
    'make images from seeds',
    'alae generate runs/digits --seeds 0-15 --truncation 0.7 --out images',
    'generate',
  ),
  'reconstruct': Verb(
    'encode and decode your own images, and measure what is lost',
    'alae reconstruct runs/faces photos/ --out reconstructed',
    'reconstruct',
  ),
  'interpolate': Verb(
    'go from one image or seed to another in w',
    'alae interpolate runs/faces me.jpg 7 --format png,gif --out between',
    'interpolate',
  ),
  'mix': Verb(
    'mix the styles of images or seeds (StyleALAE)',
    'alae mix runs/faces --sources 0-4 --destinations me.jpg 5-6 --out mixed',
    'mix',
  ),
  'traverse': Verb(
    'move images or seeds along a direction in w',
    'alae traverse runs/faces me.jpg --direction direction_smile.npy '
    '--range -3,3 --out smiling',
    'traverse',
  ),
  'directions': Verb(
    'find directions in w, from labels or without',
    'alae directions runs/faces --method labels --labels smiles.csv '
    '--out found',
    'directions',
  ),
  'import': Verb(
    "make a run folder of a checkpoint of the authors' PyTorch release",
    'alae import model_194.pth --workdir runs/ffhq',
    'import_',
    overrides=True,
  ),
  'export': Verb(
    'write a trained model in the formats of others',
    'alae export runs/ffhq --format safetensors,stablehlo --out exported',
    'export',
  ),
}


def build_parser(meant: str = '') -> tuple[Parser, Parser | None]:
  """The parser of everything, and that of the verb that is meant.

  Args:
    meant: the one verb whose arguments are needed, if any.
  """
  parser = Parser(
    prog='alae',
    description='Adversarial Latent Autoencoders in JAX.',
  )
  parser.add_argument('--version', action='version', version=__version__)
  verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True)
  of_verb: Parser | None = None
  for name, verb in VERBS.items():
    own = verbs.add_parser(
      name,
      help=verb.summary,
      description=verb.summary,
      epilog=f'example: {verb.example}',
      overrides=verb.overrides,
    )
    if name == meant:
      verb.load().add_arguments(own)
      of_verb = own
  return parser, of_verb


def _join_negative(words: Sequence[str]) -> list[str]:
  """['--range', '-3,3'] -> ['--range=-3,3'], which argparse can read."""
  joined: list[str] = []
  for word in words:
    if re.match(r'-\.?\d', word) and joined and joined[-1].startswith('--'):
      joined[-1] += f'={word}'
    else:
      joined.append(word)
  return joined


def _check_words(
  words: Sequence[str], meant: str, parser: Parser, of_verb: Parser | None
) -> None:
  """Leaves with status 2 and a suggestion where a word is misspelt."""
  if not {'-h', '--help'}.isdisjoint(words):
    return
  place = words.index(meant) if meant else len(words)
  parser.check_options(words[:place])
  if of_verb:
    of_verb.check_options(words[place + 1 :])
  elif meant:
    near = suggest(meant, VERBS) or f': there are {", ".join(VERBS)}'
    parser.error(f'there is no verb {meant!r}{near}')


def main(argv: Sequence[str] | None = None) -> int:
  """The console command `alae`."""
  words = _join_negative(sys.argv[1:] if argv is None else argv)
  meant = next((word for word in words if not word.startswith('-')), '')
  parser, of_verb = build_parser(meant)
  _check_words(words, meant, parser, of_verb)
  args, rest = parser.parse_known_args(words)
  args.given = frozenset(options_among(words))
  verb = VERBS[args.verb]

  def command() -> None:
    if verb.overrides:
      verb.load().run(args, rest)
    elif rest:
      raise UserError(
        f'unknown argument {rest[0]}; see alae {args.verb} --help'
      )
    else:
      verb.load().run(args)

  return exit_status(command, of_verb.flags if of_verb else ())


def run() -> NoReturn:
  """The same, as a process."""
  leave(main())


def load_ipython_extension(shell: Any) -> None:
  """`%load_ext alae_jax` gives a notebook `%alae VERB`.

  It runs in the notebook's own process: a TPU serves one process at a time, so
  that with `!alae VERB` there would be none.
  """
  shell.register_magic_function(run_line, magic_name='alae')


def run_line(line: str) -> None:
  """`%alae VERB`: a command, after whose failure no more cells are run.

  Raises:
    Failure: what is wrong has been told.
  """
  try:
    status = main(shlex.split(line))
  except SystemExit as stop:  # of argparse, also after --help
    status = int(stop.code or 0)
  if status:
    raise Failure(f'alae {line}: exit status {status}')


if __name__ == '__main__':
  run()
