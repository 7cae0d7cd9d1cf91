"""`alae export`: a trained model in the formats of others."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae export`."""
  parser.add_argument('workdir', metavar='WORKDIR', help='a run folder')
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
    metavar='DIR',
    help='a folder; nothing in it is overwritten',
  )


def run(args: argparse.Namespace) -> None:
  """`alae export`: writes the file and names it."""
  from alae_jax.formats.exporting import export_release

  print(f'wrote {export_release(args.workdir, args.out)}')
