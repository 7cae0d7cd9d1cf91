"""`alae directions`: finds directions in w, from labels or without."""

import argparse
from typing import Any

import jax
import numpy as np

from alae_jax.commands import labels, latents, options, traverse
from alae_jax.commands.output import Output
from alae_jax.errors import UserError
from alae_jax.inference import directions as directions_lib
from alae_jax.inference.loading import LoadedRun
from alae_jax.inference.model import Model

# name -> direction [w_dim] and what is known of it
Found = dict[str, tuple[np.ndarray, dict[str, Any]]]

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
    'components of w; or the factorisation of the style weights of a '
    'StyleALAE',
  )
  parser.add_argument(
    '--labels',
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
    type=options.several,
    default=10_000,
    help='latents drawn, and images of the dataset at most (default: 10000)',
  )
  parser.add_argument(
    '--layers',
    type=options.layers,
    default=options.EVERY_LAYER,
    help='layers to factorise and to move: coarse, middle, fine or such as '
    '2-5 (default: all)',
  )
  parser.add_argument(
    '--show',
    nargs='+',
    metavar='POINT',
    help='seeds or images that directions.png moves (default: seed 0)',
  )
  options.add_truncation(parser)
  options.add_noise(parser, 'constant')


def run(args: argparse.Namespace) -> None:
  """Writes directions, a row of pictures for each, and what is known."""
  points = latents.parse_points(args.show) if args.show else [0]
  output = Output(args)
  output.claim(['directions.png'])
  loaded = latents.open_run(args)
  bounds = args.layers.within(loaded.model)
  find = {
    'labels': _from_labels,
    'pca': _from_components,
    'sefa': _from_weights,
  }[args.method]
  found = find(loaded, args)
  output.claim(map(_file, found))
  starts = latents.locate(loaded.model, points, args)
  sheet = _sheet(loaded.model, found, starts, bounds, args.noise)
  output.write_grid('directions.png', sheet, len(_STEPS))
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


def _from_labels(loaded: LoadedRun, args: argparse.Namespace) -> Found:
  """One direction for each class, or for two classes one between them."""
  if args.labels:
    codes, attributes = labels.codes_of_csv(args.labels, loaded.model)
  else:
    codes, attributes = labels.codes_of_dataset(
      loaded.model, args.data_dir, args.samples
    )
  found = {}
  for name, positive in labels.contrasts(attributes).items():
    direction, accuracies = directions_lib.classify(codes, positive)
    found[name] = (
      direction,
      accuracies | {'positive': int(positive.sum()), 'images': len(positive)},
    )
  return found


def _from_components(loaded: LoadedRun, args: argparse.Namespace) -> Found:
  codes = _drawn_codes(loaded.model, args.samples)
  number = min(args.number, *codes.shape)
  vectors, shares = directions_lib.principal(codes, number)
  return {
    f'pca_{i}': (vector, {'share_of_variance': float(share)})
    for i, (vector, share) in enumerate(zip(vectors, shares, strict=True))
  }


def _from_weights(loaded: LoadedRun, args: argparse.Namespace) -> Found:
  model = loaded.model
  if model.active_layers == 1:
    raise UserError(
      f'{args.workdir} is an MLP-ALAE: it has no style weights '
      'to factorise; use --method pca'
    )
  weights = directions_lib.style_weights(
    model.params['generator'], *args.layers.within(model)
  )
  vectors, values = directions_lib.factorise(
    weights, _drawn_codes(model, args.samples), min(args.number, model.w_dim)
  )
  return {
    f'sefa_{i}': (vector, {'eigenvalue': float(value)})
    for i, (vector, value) in enumerate(zip(vectors, values, strict=True))
  }


def _drawn_codes(model: Model, samples: int) -> np.ndarray:
  """F(z) of fixed z: [samples, w_dim]."""
  return model.map(jax.random.normal(jax.random.key(0), (samples, model.z_dim)))


def _sheet(
  model: Model,
  found: Found,
  starts: latents.Latents,
  bounds: tuple[int, int],
  noise: str,
) -> np.ndarray:
  """Every direction at every point: uint8 [rows * steps, H, W, C]."""
  return np.concatenate(
    [
      latents.draw(
        model,
        traverse.moved(starts.styles, direction[None], _STEPS, *bounds),
        noise,
        starts.noise_keys,
      )
      for direction, _ in found.values()
    ]
  )


def _file(name: str) -> str:
  return f'direction_{name}.npy'
