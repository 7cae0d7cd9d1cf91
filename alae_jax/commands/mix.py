"""`alae mix`: the style-mixing table."""

import argparse

from alae_jax.commands import checks, options
from alae_jax.commands import points as points_lib
from alae_jax.commands.output import Output
from alae_jax.inference.choices import Layers, groups_of
from alae_jax.inference.sheets import Sheet


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
    type=options.point,
    metavar='POINT',
    help=f'the columns, which give styles: {points}',
  )
  parser.add_argument(
    '--destinations',
    required=True,
    nargs='+',
    type=options.point,
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
  from alae_jax.inference import editing, latents, pictures

  sources = points_lib.parse_points(args.sources)
  destinations = points_lib.parse_points(args.destinations)
  checks.check_truncation(args, sources + destinations)
  columns, rows = map(points_lib.labels_of, (sources, destinations))
  count = (len(columns) + 1) * (len(rows) + 1)
  sheet = Sheet(
    len(columns) + 1,
    rows=[(name,) for name in ['', *rows]],
    heads=['', *columns],
  )
  checks.check_images(count)
  output = Output(args)
  loaded = points_lib.open_run(args)
  editing.check_mixable(loaded.model)
  checks.check_picture(loaded.model, count, sheet)
  groups = args.layers or groups_of(loaded.model)
  bounds = [group.within(loaded.model) for group in groups]
  output.claim(map(_file, groups))
  output.claim(points_lib.originals_of(sources + destinations))
  points = points_lib.locate(loaded.model, sources + destinations, args)
  heads = latents.draw(
    loaded.model, points.styles, args.noise, points.noise_keys
  )
  for group, (first, end) in zip(groups, bounds, strict=True):
    styles = editing.mixtures(
      points.styles[: len(sources)], points.styles[len(sources) :], first, end
    )
    cells = latents.draw(
      loaded.model, styles, args.noise, points.noise_keys[len(sources) :]
    )
    table = pictures.mixing_table(heads, cells, len(sources))
    output.write_sheet(_file(group), table, sheet)
  labels = columns + rows
  points_lib.write_originals(output, loaded.model, points, labels, args.noise)
  output.finish(
    loaded,
    columns=points.names[: len(sources)],
    rows=points.names[len(sources) :],
    layers={
      group.name: [first, end - 1]
      for group, (first, end) in zip(groups, bounds, strict=True)
    },
  )


def _file(group: Layers) -> str:
  return f'mix_{group.name}.png'
