"""`alae traverse`: images that move along a direction in w."""

import argparse

import jax.numpy as jnp
import numpy as np

from alae_jax import storage
from alae_jax.commands import latents, options
from alae_jax.commands.output import Output
from alae_jax.errors import UserError, reason
from alae_jax.inference import pictures
from alae_jax.inference.model import Model
from alae_jax.models import styles as styles_lib


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae traverse`."""
  options.add_run(parser, 'traverse.png, .gif or .mp4, and traverse.json')
  parser.add_argument(
    'points',
    metavar='POINT',
    nargs='+',
    help='seeds such as 3 or 0-4, image files or folders; a row each',
  )
  parser.add_argument(
    '--direction',
    required=True,
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
    default=options.EVERY_LAYER,
    help='coarse (0-3), middle (4-7), fine (8 and on), or layers such as '
    '2-5 (default: all)',
  )
  options.add_film(parser, 7)
  options.add_truncation(parser)
  options.add_noise(parser, 'constant')


def run(args: argparse.Namespace) -> None:
  """Writes a row for each point, or a film of all."""
  options.check_formats(args.format)
  points = latents.parse_points(args.points)
  output = Output(args)
  output.claim([f'traverse.{kind}' for kind in args.format])
  output.claim(latents.originals_of(points))
  loaded = latents.open_run(args)
  direction = read_direction(args.direction, loaded.model)
  first, end = args.layers.within(loaded.model)
  starts = latents.locate(loaded.model, points, args)
  low, high = args.range
  steps = np.linspace(low, high, args.steps, dtype=np.float32)
  images = latents.draw(
    loaded.model,
    moved(starts.styles, direction, steps, first, end),
    args.noise,
    starts.noise_keys,
  )
  if 'png' in args.format:
    output.write_grid('traverse.png', images, args.steps)
  output.write_films('traverse', frames(images, args.steps))
  latents.write_originals(output, loaded.model, starts, args.noise)
  output.finish(loaded, rows=starts.names, columns=steps.tolist())


def read_direction(path: str, model: Model) -> np.ndarray:
  """The direction of an NPY file, of any shape that has the right numbers.

  Returns:
    [1 or layers, w_dim], float32.

  Raises:
    UserError: it is no such file, or of another size, not finite or zero.
  """
  source = storage.locate(path)
  try:
    with source.open('rb') as file:
      # np.load would open a zip too, which is no array.
      direction = np.lib.format.read_array(file, allow_pickle=False).astype(
        np.float32
      )
  except Exception as error:  # a damaged header fails in many ways
    raise UserError(
      f'--direction {path} cannot be read as an NPY file: {reason(error)}'
    ) from None
  wanted = model.w_dim, model.layers * model.w_dim
  if direction.size not in wanted:
    raise UserError(
      f'--direction {path} has {direction.size} numbers: a '
      f'direction of this model has {wanted[0]}'
    )
  if not np.isfinite(direction).all() or not direction.any():
    raise UserError(f'--direction {path} is zero or not finite')
  return direction.reshape(-1, model.w_dim)


def moved(
  styles: np.ndarray,
  direction: np.ndarray,
  steps: np.ndarray,
  first: int,
  end: int,
) -> np.ndarray:
  """Every point moved by every step on some layers.

  Args:
    styles: [N, layers, w_dim].
    direction: [1 or layers, w_dim].
    steps: [S], in lengths of the direction.
    first: the first layer to move.
    end: the layer after the last one.

  Returns:
    [N * S, layers, w_dim], point by point.
  """
  still = jnp.repeat(styles, len(steps), axis=0)
  along = jnp.tile(steps, len(styles))[:, None, None] * direction
  return np.asarray(styles_lib.replace_layers(still, still + along, first, end))


def frames(images: np.ndarray, steps: int) -> list[np.ndarray]:
  """A frame for each step, with all points in a row."""
  rows = pictures.enlarge(images).reshape(
    -1, steps, *pictures.enlarge(images[:1]).shape[1:]
  )
  return [pictures.grid(rows[:, i], len(rows)) for i in range(steps)]
