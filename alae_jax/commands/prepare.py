"""`alae prepare`: makes a dataset to train on."""

import argparse
import re
import signal
import textwrap

from alae_jax.commands import options
from alae_jax.data.preparing.catalogue import DATASETS
from alae_jax.errors import Interrupted, printable, tell

_ARGUMENTS = (
  'name', 'source', 'data_dir', 'resolution', 'test_images', 'channels',
  'overwrite', 'format', 'labels', 'fit', 'max_images', 'bad_files', 'enlarge',
  'depth_range', 'workers', 'beam_options',
)  # fmt: skip
_FORMS = (
  'folder', 'zip', 'tar', 'lmdb', 'tfrecords', 'parquet', 'numpy', 'idx',
  'tfds',
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """Adds the command's arguments to a parser."""
  parser.formatter_class = argparse.RawDescriptionHelpFormatter
  parser.epilog = f'{parser.epilog}\n\n{_describe_datasets()}'
  add = parser.add_argument
  add('name', metavar='NAME', help='of a dataset below, or one of your choice')
  add(
    '--source',
    type=options.path,
    metavar='PATH',
    help='folder of images, zip, tar, LSUN LMDB, TFRecords, Parquet, .npy, '
    '.npz, the four IDX files, or tfds:NAME; read in place',
  )
  add(
    '--data_dir',
    type=options.path,
    default='data',
    help='for datasets (default: data)',
  )
  add('--resolution', type=int, help='full resolution, a power of two')
  add('--test_images', type=float, help='test images: a count, or a part < 1')
  add('--channels', type=int, choices=(1, 3), help='1 grey, 3 RGB')
  add('--format', choices=_FORMS, help='of the source (default: found out)')
  add(
    '--labels',
    metavar='WHICH',
    help="folders: the outermost folders' names; none; or a CSV file of a "
    "header and lines 'file,class' (default: the source's own)",
  )
  add(
    '--fit',
    choices=('crop', 'pad', 'stretch'),
    default='crop',
    help='of images that are not square (default: crop)',
  )
  add(
    '--max_images',
    type=int,
    metavar='N',
    help='take the first N training images only',
  )
  add(
    '--bad_files',
    '--bad-files',
    choices=('fail', 'skip'),
    default='fail',
    help='what becomes of the dataset if files cannot be used; those that are '
    'skipped are named in skipped.txt (default: fail)',
  )
  add(
    '--enlarge',
    action='store_true',
    help='take images that are smaller than the resolution too',
  )
  add(
    '--depth_range',
    type=depth_range,
    metavar='LOW,HIGH',
    help='values of 16-bit images that become black and white '
    '(default: 0,65535)',
  )
  add(
    '--workers',
    type=options.count,
    help='processes that decode and encode (default: one a core)',
  )
  add(
    '--beam_options',
    type=lambda text: text.split(','),
    metavar='OPTIONS',
    help='make it with Apache Beam, with these options of its own, such as '
    'runner=DataflowRunner,project=P,region=R,temp_location=gs://B/tmp',
  )
  add('--overwrite', action='store_true', help='replace what is there')


def run(args: argparse.Namespace) -> None:
  """Makes the dataset, and prints a line for each resolution."""
  import tensorflow_datasets as tfds

  from alae_jax.data import prepare

  arguments = {name: getattr(args, name) for name in _ARGUMENTS}
  handler = signal.signal(signal.SIGTERM, _stop)
  try:
    made = prepare.prepare(**arguments)
  finally:
    signal.signal(signal.SIGTERM, handler)
  for path in made:
    info = tfds.builder_from_directory(path).info
    counts = ', '.join(
      f'{split.num_examples} {name}' for name, split in info.splits.items()
    )
    size = f'{info.dataset_size / 1e6:,.1f} MB'
    print(f'{printable(str(path))}: {counts} images, {size}')
  if 'test' not in info.splits:
    print(
      'no test images were set apart: pictures of a run will show training '
      'images, and no metric that needs test images can be computed '
      '(--test_images COUNT sets some apart)'
    )


def _stop(number: int, _frame: object) -> None:
  """Leaves as after Ctrl-C, and not amid the workers' clean-up."""
  tell('stopped by SIGTERM: the same command goes on')
  raise Interrupted('stopped by SIGTERM', 128 + number)


def depth_range(text: str) -> tuple[int, int]:
  """'0,4095' -> (0, 4095)."""
  match = re.fullmatch(r'(\d{1,5}),(\d{1,5})', text)
  if not match:
    raise argparse.ArgumentTypeError(f'{text!r} is no range such as 0,4095')
  return int(match[1]), int(match[2])


def _describe_datasets() -> str:
  """What is known of each dataset, and where its files come from."""
  lines = ['datasets that are known by name:']
  for name, known in DATASETS.items():
    counts = ', '.join(f'{n:,} {split}' for split, n in known.counts.items())
    sides = ' or '.join(map(str, known.resolutions))
    lines.append(f'  {name}: {known.title}, {counts}; resolution {sides}')
    lines += textwrap.wrap(
      known.files, 78, initial_indent='    ', subsequent_indent='    '
    )
  return '\n'.join(lines)
