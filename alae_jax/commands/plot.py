"""`alae plot`: curves of one run, or of several over one another."""

import argparse
import os

from etils import epath

from alae_jax import progress, storage
from alae_jax.commands import options
from alae_jax.errors import UserError, printable

_ENDINGS = ('.png', '.svg')


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae plot`."""
  add = parser.add_argument
  add(
    'workdirs',
    type=options.path,
    nargs='+',
    metavar='RUN',
    help='run folders; each has a colour',
  )
  add(
    '--out',
    required=True,
    type=options.path,
    metavar='FILE',
    help='a picture to write: .png or .svg',
  )
  add(
    '--metrics',
    metavar='NAMES',
    help='separated by commas: names in metrics.jsonl or their beginnings, '
    'such as loss,probe (default: all)',
  )
  add(
    '--overwrite',
    action='store_true',
    help='replace the file if it is there already',
  )


def run(args: argparse.Namespace) -> None:
  """Reads the records, draws them and says where."""
  out = _claim(args.out, args.overwrite)
  with progress.telling('drawing'):
    from alae_jax.inference import plotting

    picture = plotting.draw(args.workdirs, args.metrics, out.suffix[1:].lower())
  out.parent.mkdir(parents=True, exist_ok=True)
  storage.write_whole(out, picture)
  print(f'wrote {printable(str(out))}')


def _claim(name: str, overwrite: bool) -> epath.Path:
  """Where the picture is to be, if it may."""
  path = storage.locate(name)
  if path.suffix.lower() not in _ENDINGS:
    raise UserError(f'--out {name}: name a file that ends in .png or .svg')
  if path.is_dir():
    raise UserError(f'--out {name} is a folder: name a file')
  storage.require_folder(path.parent)
  if (os.path.lexists(path) or path.exists()) and not overwrite:
    raise UserError(
      f'{name} is there already: give another --out, or --overwrite'
    )
  return path
