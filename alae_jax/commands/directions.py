"""`alae directions`: finds directions in w, from labels or without."""

import argparse
from typing import TYPE_CHECKING

import numpy as np

from alae_jax import storage
from alae_jax.commands import checks, options
from alae_jax.commands import points as points_lib
from alae_jax.commands.output import Output
from alae_jax.errors import UserError, tell
from alae_jax.inference.choices import EVERY_LAYER
from alae_jax.inference.sheets import Sheet

if TYPE_CHECKING:
  from alae_jax.inference.directions import Found
  from alae_jax.inference.labels import Attributes
  from alae_jax.inference.latents import Points
  from alae_jax.inference.model import Model

_FEW = 10  # images of a class
_STEPS = np.linspace(-3, 3, 7, dtype=np.float32)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae directions`."""
  options.add_run(
    parser,
    'direction_NAME.npy of each direction, '
    'directions.png that shows them, and directions.json',
  )
  parser.add_argument(
    '--method',
    required=True,
    choices=('labels', 'pca', 'sefa'),
    help='a linear classifier on the codes of labelled images; principal '
    'components of w; or the factorisation of the weights by which G '
    'takes w in',
  )
  parser.add_argument(
    '--labels',
    type=options.path,
    metavar='FILE.csv',
    help='labels of your own images: a header, then in each line a file '
    '(relative to the CSV) and its labels (default: the labels of the '
    'dataset that the model was trained on)',
  )
  options.add_data_dir(parser)
  parser.add_argument(
    '--number',
    type=options.count,
    default=5,
    help='of directions, for pca and sefa (default: 5)',
  )
  parser.add_argument(
    '--samples',
    type=options.samples,
    default=10_000,
    help='latents drawn, and images of the dataset at most (default: 10000)',
  )
  parser.add_argument(
    '--layers',
    type=options.layers,
    default=EVERY_LAYER,
    help='layers to factorise and to move: coarse, middle, fine or such as '
    '2-5 (default: all)',
  )
  parser.add_argument(
    '--show',
    nargs='+',
    type=options.point,
    metavar='POINT',
    help='seeds or images that directions.png moves (default: seed 0)',
  )
  options.add_truncation(parser)
  options.add_noise(parser, 'constant')


def run(args: argparse.Namespace) -> None:
  """Writes directions, a row of pictures for each, and what is known."""
  points = points_lib.parse_points(args.show) if args.show else [0]
  _refuse_idle(args)
  if args.labels:
    storage.require_file(storage.locate(args.labels))
  checks.check_truncation(args, points)
  checks.check_images(len(points))
  output = Output(args)
  output.claim(['directions.png'])
  loaded = points_lib.open_run(args)
  _check_number(loaded.model, args)
  checks.tell_of_data_dir(loaded.model, args)
  bounds = args.layers.within(loaded.model)
  found = _find(loaded.model, bounds, args)
  _tell_of_few(found)
  output.claim(map(_file, found))
  shown = len(found) * len(points) * len(_STEPS)
  labels = points_lib.labels_of(points)
  sheet = Sheet(
    len(_STEPS),
    rows=[(name, label) for name in found for label in labels],
    heads=points_lib.step_labels(_STEPS),
  )
  checks.check_picture(loaded.model, shown, sheet)
  starts = points_lib.locate(loaded.model, points, args)
  images = _draw(loaded.model, found, starts, bounds, args.noise)
  output.write_sheet('directions.png', images, sheet)
  for name, (direction, facts) in found.items():
    output.write_array(_file(name), direction)
    print(
      f'  {name}: '
      + ', '.join(
        f'{key} {value:.4g}'
        for key, value in facts.items()
        if value is not None
      )
    )
  output.finish(
    loaded,
    columns=_STEPS.tolist(),
    shown=starts.names,
    unit='one standard deviation, of the codes or of the score',
    directions=[
      {'name': name, 'file': _file(name), **facts}
      for name, (_, facts) in found.items()
    ],
  )


def _refuse_idle(args: argparse.Namespace) -> None:
  """Refuses options that the method does not read."""
  if args.method == 'labels':
    checks.refuse_idle(args, ['--number'], 'is for --method pca and sefa')
    if args.labels:
      unread = ['--data_dir', '--samples']
      checks.refuse_idle(args, unread, 'is not read with --labels')
  else:
    unread = ['--labels', '--data_dir']
    checks.refuse_idle(args, unread, 'is for --method labels')


def _tell_of_few(found: 'Found') -> None:
  """Warns of labels that so few images have that they say little."""
  few = [
    name
    for name, (_, facts) in found.items()
    if 'images' in facts
    and min(facts['positive'], facts['images'] - facts['positive']) < _FEW
  ]
  if few:
    tell(
      f'warning: fewer than {_FEW} images of a class: {", ".join(few)} may '
      'show what else these have in common'
    )


def _check_number(model: 'Model', args: argparse.Namespace) -> None:
  """Refuses to be asked for more directions than there are."""
  most = min(model.w_dim, args.samples)
  if '--number' in args.given and args.number > most:
    raise UserError(
      f'--number {args.number}: there are {most} directions in a w of '
      f'{model.w_dim} numbers, from {args.samples} samples'
    )


def _find(
  model: 'Model', bounds: tuple[int, int], args: argparse.Namespace
) -> 'Found':
  from alae_jax.inference import directions as directions_lib
  from alae_jax.inference import labels

  if args.method == 'pca':
    return directions_lib.from_components(model, args.number, args.samples)
  if args.method == 'sefa':
    return directions_lib.from_weights(
      model, *bounds, args.number, args.samples
    )
  if args.labels:
    codes, attributes = labels.codes_of_csv(args.labels, model)
  else:
    codes, attributes = _labels_of_dataset(model, args)
  return directions_lib.from_labels(codes, labels.contrasts(attributes))


def _labels_of_dataset(
  model: 'Model', args: argparse.Namespace
) -> tuple[np.ndarray, 'Attributes']:
  from alae_jax.inference import labels

  try:
    return labels.codes_of_dataset(model, args.data_dir, args.samples)
  except labels.Unlabelled as error:
    raise UserError(f'{error}: give --labels FILE.csv') from error


def _draw(
  model: 'Model',
  found: 'Found',
  starts: 'Points',
  bounds: tuple[int, int],
  noise: str,
) -> np.ndarray:
  """Every direction at every point: uint8 [rows * steps, H, W, C]."""
  from alae_jax.inference import latents
  from alae_jax.inference.editing import moved

  return np.concatenate(
    [
      latents.draw(
        model,
        moved(starts.styles, direction[None], _STEPS, *bounds),
        noise,
        starts.noise_keys,
      )
      for direction, _ in found.values()
    ]
  )


def _file(name: str) -> str:
  return f'direction_{name}.npy'
