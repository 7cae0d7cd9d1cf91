"""`alae weights`: the published networks that metrics compare features of."""

import argparse

from alae_jax import progress
from alae_jax.commands import options
from alae_jax.errors import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae weights`."""
  parser.add_argument(
    'network',
    choices=('inception', 'lpips'),
    help='inception for FID and KID, lpips for perceptual distances',
  )
  parser.add_argument(
    '--source',
    nargs='+',
    type=options.path,
    metavar='FILE',
    help='take the weights from published files instead of downloading them, '
    'and in place of those that are there already',
  )


def run(args: argparse.Namespace) -> None:
  """`alae weights`: fetches them if need be, and says what they are."""
  with progress.telling('starting'):
    from alae_jax.metrics.networks import weights as weights_lib

  if args.source:
    weights = weights_lib.keep(args.network, args.source)
  else:
    weights = weights_lib.load(args.network)
  print(printable(str(weights_lib.location(args.network))))
  print(f'  of       {printable(weights.source)}')
  print(f'  SHA-256  {weights.sha256}')
