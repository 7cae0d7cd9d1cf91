"""`alae export`: a trained model in the formats of others."""

import argparse

import jax
import numpy as np

from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.formats.release_file import write_release_checkpoint
from alae_jax.inference.loading import load_state

_FILE = 'model.pth'


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae export`."""
  parser.add_argument('workdir', metavar='WORKDIR', help='a run folder')
  parser.add_argument(
    '--format',
    required=True,
    choices=('release',),
    help=f"release: {_FILE}, a checkpoint that the authors' PyTorch release "
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
  print(f'wrote {export_release(args.workdir, args.out)}')


def export_release(workdir: str, out: str) -> str:
  """Writes a run's newest checkpoint as the authors' release saves its own.

  Args:
    workdir: a run folder.
    out: a folder, made if need be.

  Returns:
    The path of the file.

  Raises:
    UserError: there is no StyleALAE in the folder, the file exists, `out` is a
      file, or PyTorch is missing.
  """
  folder = storage.locate(out)
  path = folder / _FILE
  if folder.exists() and not folder.is_dir():
    raise UserError(f'--out {out} is a file: name a folder')
  if path.exists():
    raise UserError(f'{path} exists: name another --out')
  stored = load_state(workdir)
  if stored.config.model.kind != 'style':
    raise UserError(
      f'{workdir} holds an {stored.config.model.kind} model: '
      'the release has a layout for StyleALAE alone'
    )
  params, ema, mean_w = jax.tree.map(
    np.asarray, (stored.state.params, stored.state.ema, stored.state.mean_w)
  )
  folder.mkdir(parents=True, exist_ok=True)
  write_release_checkpoint(
    str(path), params, ema, mean_w, stored.config.model.to_dict()
  )
  return str(path)
