"""`alae generate`: images from seeds."""

import argparse
import math

import numpy as np

from alae_jax.commands import options
from alae_jax.commands import points as points_lib
from alae_jax.commands.output import Output


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae generate`."""
  options.add_run(parser, 'one PNG for each seed, and generate.json')
  parser.add_argument(
    '--seeds',
    required=True,
    type=options.seeds,
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
  from alae_jax.inference import latents

  output = Output(args)
  files = (
    ['grid.png']
    if args.grid
    else [f'seed{seed:04d}.png' for seed in args.seeds]
  )
  output.claim(files)
  loaded = points_lib.open_run(args)
  styles, noise_keys = latents.from_seeds(
    loaded.model, args.seeds, args.truncation, args.cutoff
  )
  images = latents.draw(loaded.model, styles, args.noise, noise_keys)
  if args.grid:
    _write_grid(output, images, args.columns)
  else:
    for name, image in zip(files, images, strict=True):
      output.write_image(name, image)
  output.finish(loaded)


def _write_grid(
  output: Output, images: np.ndarray, columns: int | None
) -> None:
  columns = columns or math.ceil(math.sqrt(len(images)))
  output.write_grid('grid.png', images, min(columns, len(images)))
