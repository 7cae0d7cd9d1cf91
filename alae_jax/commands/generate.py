"""`alae generate`: images from seeds."""

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from alae_jax.commands import checks, options
from alae_jax.commands import points as points_lib
from alae_jax.commands.output import Output
from alae_jax.inference.sheets import Sheet

if TYPE_CHECKING:
  from alae_jax.inference.model import Model

_AT_ONCE = 256  # images in memory


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae generate`."""
  options.add_run(parser, 'one PNG for each seed, and generate.json')
  parser.add_argument(
    '--seeds',
    required=True,
    type=options.distinct_seeds,
    help='such as 0-15,40; a seed gives the same image whatever the others are',
  )
  options.add_truncation(parser)
  options.add_noise(parser, 'random')
  parser.add_argument(
    '--grid',
    action='store_true',
    help='one picture, grid.png, in place of single files',
  )
  parser.add_argument(
    '--columns',
    type=options.count,
    help='of the grid (default: about as many as rows)',
  )


def run(args: argparse.Namespace) -> None:
  """Writes what the seeds give."""
  checks.check_truncation(args)
  if args.grid:
    checks.check_images(len(args.seeds))
  else:
    checks.refuse_idle(args, ['--columns'], 'is of a grid: give --grid too')
  output = Output(args)
  files = (
    ['grid.png']
    if args.grid
    else [f'seed{seed:04d}.png' for seed in args.seeds]
  )
  output.claim(files)
  loaded = points_lib.open_run(args)
  if args.grid:
    columns = args.columns or math.ceil(math.sqrt(len(args.seeds)))
    columns = min(columns, len(args.seeds))
    sheet = Sheet(columns, captions=points_lib.labels_of(args.seeds))
    checks.check_picture(loaded.model, len(args.seeds), sheet)
    images = _draw(loaded.model, args.seeds, args)
    output.write_sheet('grid.png', images, sheet)
  else:
    for first in range(0, len(files), _AT_ONCE):
      some = slice(first, first + _AT_ONCE)
      images = _draw(loaded.model, args.seeds[some], args)
      for name, image in zip(files[some], images, strict=True):
        output.write_image(name, image)
  output.finish(loaded)


def _draw(
  model: 'Model', seeds: Sequence[int], args: argparse.Namespace
) -> np.ndarray:
  """The images of seeds, uint8 [N, H, W, C]."""
  from alae_jax.inference import latents

  styles, noise_keys = latents.from_seeds(
    model, seeds, args.truncation, args.cutoff
  )
  return latents.draw(model, styles, args.noise, noise_keys)
