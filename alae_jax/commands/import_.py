"""`alae import`: a checkpoint of the authors' release becomes a run folder."""

import argparse
from collections.abc import Sequence

from alae_jax.commands import options
from alae_jax.errors import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae import`, besides --config.field=value."""
  parser.add_argument(
    'checkpoint',
    type=options.path,
    metavar='CHECKPOINT.pth',
    help="a file of the authors' PyTorch release, fully grown; nothing in "
    'it is run',
  )
  parser.add_argument(
    '--workdir',
    required=True,
    type=options.path,
    metavar='DIR',
    help='the run folder to make, local or remote (gs://...)',
  )
  parser.add_argument(
    '--weights',
    choices=('ema', 'live'),
    default='ema',
    help='what the model uses by default: the moving average or the networks '
    'as trained; the folder keeps both (%(default)s)',
  )
  parser.add_argument_group(
    'config',
    '--config.section.field=value sets a field of the new run, as '
    '--config.data.name=celebahq or --config.train.batch_size=16',
  )


def run(args: argparse.Namespace, overrides: Sequence[str]) -> None:
  """`alae import`: makes the folder and says how to use it."""
  from alae_jax import config as config_lib
  from alae_jax.formats.importing import import_checkpoint
  from alae_jax.runs.folder import open_folder

  config = import_checkpoint(
    args.checkpoint, args.workdir, args.weights, overrides
  )
  workdir = printable(args.workdir)
  print(open_folder(args.workdir).log.read_text().strip())
  print(f"in Python:  alae_jax.load('{workdir}')")
  unnamed = config.data.name == config_lib.UNNAMED
  print(
    f'train on:   alae train --config={workdir}/config.json '
    f'--workdir={workdir}'
    + ' --config.data.name=NAME --config.data.data_dir=DIR'
    * unnamed
  )
