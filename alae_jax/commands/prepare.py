"""`alae prepare`: makes a dataset to train on."""

import argparse

from alae_jax.commands import options
from alae_jax.errors import printable

_ARGUMENTS = (
  'name',
  'source',
  'data_dir',
  'resolution',
  'test_images',
  'channels',
  'overwrite',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Adds the command's arguments to a parser."""
  add = parser.add_argument
  add('name', help='mnist, fashion_mnist, or a name for a folder of images')
  add(
    '--source',
    type=options.path,
    help='folder of images, or of the four MNIST IDX files',
  )
  add(
    '--data_dir',
    type=options.path,
    default='data',
    help='for datasets (default: data)',
  )
  add('--resolution', type=int, help='full resolution, a power of two')
  add('--test_images', type=float, help='test images: a count, or a part < 1')
  add('--channels', type=int, choices=(1, 3), help='1 grey, 3 RGB (default)')
  add('--overwrite', action='store_true', help='replace what is there')


def run(args: argparse.Namespace) -> None:
  """Makes the dataset, and prints a line for each resolution."""
  import tensorflow_datasets as tfds

  from alae_jax.data import prepare

  arguments = {name: getattr(args, name) for name in _ARGUMENTS}
  for path in prepare.prepare(**arguments):
    splits = tfds.builder_from_directory(path).info.splits
    counts = ', '.join(f'{s.num_examples} {n}' for n, s in splits.items())
    print(f'{printable(str(path))}: {counts} images')
  if 'test' not in splits:
    print(
      'no test images were set apart: pictures of a run will show training '
      'images, and no metric that needs test images can be computed '
      '(--test_images COUNT sets some apart)'
    )
