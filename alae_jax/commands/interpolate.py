"""`alae interpolate`: from one image or seed to the next."""

import argparse
import itertools
from collections.abc import Sequence

import numpy as np

from alae_jax.commands import checks, options
from alae_jax.commands import points as points_lib
from alae_jax.commands.output import Output
from alae_jax.errors import UserError
from alae_jax.inference.sheets import Sheet


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae interpolate`."""
  options.add_run(parser, 'interpolate.png, .gif or .mp4, and interpolate.json')
  parser.add_argument(
    'points',
    type=options.point,
    metavar='POINT',
    nargs='+',
    help='seeds such as 3 or 0-4, image files or folders; two or more, '
    'visited in order',
  )
  options.add_film(parser, 8)
  options.add_truncation(parser)
  options.add_noise(parser, 'constant')


def run(args: argparse.Namespace) -> None:
  """Writes a row for each pair of points, or a film through all."""
  from alae_jax.inference import latents, pictures
  from alae_jax.inference.editing import path_through

  checks.check_film(args)
  points = points_lib.parse_points(args.points)
  if len(points) < 2:
    raise UserError('give two points or more, such as 3 7 or a.png b.png')
  checks.check_truncation(args, points)
  count = (len(points) - 1) * args.steps
  checks.check_images(count)
  output = Output(args)
  output.claim([f'interpolate.{kind}' for kind in args.format])
  output.claim(points_lib.originals_of(points))
  loaded = points_lib.open_run(args)
  labels = points_lib.labels_of(points)
  sheet = _sheet(labels, args.steps)
  if 'png' in args.format:
    checks.check_picture(loaded.model, count, sheet)
  checks.check_frames(loaded.model, count)
  ends = points_lib.locate(loaded.model, points, args)
  images = latents.draw(
    loaded.model,
    path_through(ends.styles, args.steps),
    args.noise,
    ends.noise_keys[:1],
  )
  if 'png' in args.format:
    output.write_sheet('interpolate.png', images, sheet)
  output.write_films('interpolate', list(pictures.enlarge(images)))
  points_lib.write_originals(output, loaded.model, ends, labels, args.noise)
  output.finish(loaded, points=ends.names)


def _sheet(labels: Sequence[str], steps: int) -> Sheet:
  """A row from each point to the next."""
  return Sheet(
    steps,
    rows=[(start, f'to {end}') for start, end in itertools.pairwise(labels)],
    heads=[f't = {t:.3g}' for t in np.linspace(0, 1, steps)],
  )
