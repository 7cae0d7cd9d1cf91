"""`alae traverse`: images that move along a direction in w."""

import argparse

import numpy as np

from alae_jax import storage
from alae_jax.commands import checks, options
from alae_jax.commands import points as points_lib
from alae_jax.commands.output import Output
from alae_jax.inference.choices import EVERY_LAYER
from alae_jax.inference.sheets import Sheet


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae traverse`."""
  options.add_run(parser, 'traverse.png, .gif or .mp4, and traverse.json')
  parser.add_argument(
    'points',
    type=options.point,
    metavar='POINT',
    nargs='+',
    help='seeds such as 3 or 0-4, image files or folders; a row each',
  )
  parser.add_argument(
    '--direction',
    required=True,
    type=options.path,
    metavar='FILE.npy',
    help='of w_dim numbers, or w_dim for every layer; of `alae directions`, '
    'or your own',
  )
  parser.add_argument(
    '--range',
    type=options.span,
    default=(-3.0, 3.0),
    metavar='FROM,TO',
    help='in lengths of the direction, 0 being the point itself (default: '
    '-3,3)',
  )
  parser.add_argument(
    '--layers',
    type=options.layers,
    default=EVERY_LAYER,
    help='coarse (0-3), middle (4-7), fine (8 and on), or layers such as '
    '2-5 (default: all)',
  )
  options.add_film(parser, 7)
  options.add_truncation(parser)
  options.add_noise(parser, 'constant')


def run(args: argparse.Namespace) -> None:
  """Writes a row for each point, or a film of all."""
  from alae_jax.inference import latents, pictures
  from alae_jax.inference.editing import moved, read_direction

  checks.check_film(args)
  points = points_lib.parse_points(args.points)
  checks.check_truncation(args, points)
  count = len(points) * args.steps
  checks.check_images(count)
  storage.require_file(storage.locate(args.direction))
  output = Output(args)
  output.claim([f'traverse.{kind}' for kind in args.format])
  output.claim(points_lib.originals_of(points))
  loaded = points_lib.open_run(args)
  low, high = args.range
  steps = np.linspace(low, high, args.steps, dtype=np.float32)
  labels = points_lib.labels_of(points)
  sheet = Sheet(
    args.steps,
    rows=[(label,) for label in labels],
    heads=points_lib.step_labels(steps),
  )
  if 'png' in args.format:
    checks.check_picture(loaded.model, count, sheet)
  checks.check_frames(loaded.model, args.steps, len(points))
  direction = read_direction(args.direction, loaded.model)
  first, end = args.layers.within(loaded.model)
  starts = points_lib.locate(loaded.model, points, args)
  images = latents.draw(
    loaded.model,
    moved(starts.styles, direction, steps, first, end),
    args.noise,
    starts.noise_keys,
  )
  if 'png' in args.format:
    output.write_sheet('traverse.png', images, sheet)
  output.write_films('traverse', pictures.frames(images, args.steps))
  points_lib.write_originals(output, loaded.model, starts, labels, args.noise)
  output.finish(loaded, rows=starts.names, columns=steps.tolist())
