"""`alae mix`: the style-mixing table."""

import argparse

import jax.numpy as jnp
import numpy as np

from alae_jax.commands import latents, options
from alae_jax.commands.output import Output
from alae_jax.errors import UserError
from alae_jax.inference.pictures import BACKGROUND
from alae_jax.models import styles as styles_lib


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae mix`."""
  options.add_run(
    parser, 'a table mix_LAYERS.png for each group of layers, and mix.json'
  )
  points = 'seeds such as 0-4, image files or folders'
  parser.add_argument(
    '--sources',
    required=True,
    nargs='+',
    metavar='POINT',
    help=f'the columns, which give styles: {points}',
  )
  parser.add_argument(
    '--destinations',
    required=True,
    nargs='+',
    metavar='POINT',
    help='the rows, which take them, likewise',
  )
  parser.add_argument(
    '--layers',
    type=options.groups,
    help='coarse (0-3), middle (4-7), fine (8 and on), layers such as 2-5, '
    'or several with commas between (default: all three)',
  )
  options.add_truncation(parser)
  options.add_noise(parser, 'constant')


def run(args: argparse.Namespace) -> None:
  """Writes a table for each group of layers."""
  sources = latents.parse_points(args.sources)
  destinations = latents.parse_points(args.destinations)
  output = Output(args)
  loaded = latents.open_run(args)
  if loaded.model.active_layers == 1:
    raise UserError(
      f'{args.workdir} is an MLP-ALAE: it has one layer of '
      'styles, and mixing needs several'
    )
  groups = args.layers or options.groups_of(loaded.model)
  bounds = [group.within(loaded.model) for group in groups]
  output.claim(map(_file, groups))
  output.claim(latents.originals_of(sources + destinations))
  points = latents.locate(loaded.model, sources + destinations, args)
  heads = latents.draw(
    loaded.model, points.styles, args.noise, points.noise_keys
  )
  columns = len(sources)
  for group, (first, end) in zip(groups, bounds, strict=True):
    styles = mixtures(
      points.styles[:columns], points.styles[columns:], first, end
    )
    cells = latents.draw(
      loaded.model, styles, args.noise, points.noise_keys[columns:]
    )
    output.write_grid(_file(group), table(heads, cells, columns), columns + 1)
  latents.write_originals(output, loaded.model, points, args.noise)
  output.finish(
    loaded,
    columns=points.names[:columns],
    rows=points.names[columns:],
    layers={
      group.name: [first, end - 1]
      for group, (first, end) in zip(groups, bounds, strict=True)
    },
  )


def mixtures(
  sources: np.ndarray, destinations: np.ndarray, first: int, end: int
) -> np.ndarray:
  """Every destination with some layers of every source.

  Args:
    sources: [S, layers, w_dim].
    destinations: [D, layers, w_dim].
    first: the first layer to take from a source.
    end: the layer after the last one.

  Returns:
    [D * S, layers, w_dim], destination by destination.
  """
  taking = jnp.repeat(destinations, len(sources), axis=0)
  giving = jnp.tile(sources, (len(destinations), 1, 1))
  return np.asarray(styles_lib.replace_layers(taking, giving, first, end))


def table(heads: np.ndarray, cells: np.ndarray, columns: int) -> np.ndarray:
  """The cells with sources above and destinations to the left.

  Args:
    heads: uint8 [S + D, H, W, C], sources first.
    cells: uint8 [D * S, H, W, C].
    columns: S.

  Returns:
    uint8 [(D + 1) * (S + 1), H, W, C], row by row.
  """
  rows = cells.reshape(-1, columns, *cells.shape[1:])
  rows = np.concatenate([heads[columns:, None], rows], axis=1)
  corner = np.full_like(heads[:1], BACKGROUND)
  return np.concatenate(
    [corner, heads[:columns], rows.reshape(-1, *cells.shape[1:])]
  )


def _file(group: options.Layers) -> str:
  return f'mix_{group.name}.png'
