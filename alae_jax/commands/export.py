"""`alae export`: a trained model in the formats of others."""

import argparse

from alae_jax.commands import options
from alae_jax.errors import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae export`."""
  options.add_workdir(parser)
  parser.add_argument(
    '--format',
    required=True,
    choices=('release',),
    help="release: model.pth, a checkpoint that the authors' PyTorch release "
    'loads, with the live and the EMA networks (float64, so that `alae '
    'import` gives back every bit)',
  )
  parser.add_argument(
    '--out',
    required=True,
    type=options.path,
    metavar='DIR',
    help='a folder; nothing in it is overwritten',
  )
  options.add_checkpoint(parser)


def run(args: argparse.Namespace) -> None:
  """`alae export`: writes the file, names it and says what it lacks."""
  from alae_jax.formats.exporting import export_release

  export = export_release(args.workdir, args.out, args.checkpoint)
  print(f'wrote {printable(export.path)}')
  if export.note:
    print(export.note)
