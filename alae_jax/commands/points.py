"""What the verbs on images share: their run, their points, their originals."""

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from etils import epath

from alae_jax import progress
from alae_jax.commands import checks, options
from alae_jax.commands.output import Output
from alae_jax.errors import UserError, printable
from alae_jax.inference.sheets import Sheet

if TYPE_CHECKING:
  from alae_jax.inference.latents import Points
  from alae_jax.inference.loading import LoadedRun
  from alae_jax.inference.model import Model


def open_run(args: argparse.Namespace) -> 'LoadedRun':
  """The model of WORKDIR; refuses a --cutoff that it does not have."""
  with progress.telling(f'loading {printable(args.workdir)}'):
    from alae_jax.inference import loading, programs

    programs.keep()
    loaded = loading.load_run(args.workdir, args.checkpoint, args.weights)
  cutoff, layers = getattr(args, 'cutoff', None), loaded.model.active_layers
  if cutoff is not None and cutoff > layers:
    raise UserError(
      f'--cutoff {cutoff}: this model works with layers 0 to {layers - 1}'
    )
  checks.tell_of_noise(loaded.model, args)
  return loaded


def parse_points(words: Sequence[str]) -> list[int | epath.Path]:
  """Seeds such as 0-3,7 and image files or folders, one point each.

  Raises:
    UserError: a word is neither, or could be both.
  """
  with progress.telling('starting'):
    from alae_jax.inference.user_images import find_files

  points: list[int | epath.Path] = []
  for word in words:
    if options.is_seeds(word):
      points += _parse_seeds(word)
    else:
      points += find_files([word])
  return points


def labels_of(points: Sequence[int | epath.Path]) -> list[str]:
  """What a sheet calls each point: its seed, or the file without its folder."""
  return [
    f'seed {point}' if isinstance(point, int) else point.name
    for point in points
  ]


def step_labels(steps: Iterable[float]) -> list[str]:
  """What a sheet calls steps along a direction: -1.5, 0, +1.5."""
  return [f'{step:+.3g}' if step else '0' for step in steps]


def originals_of(points: Sequence[int | epath.Path]) -> list[str]:
  """The file that `write_originals` will write, where a point is an image."""
  pictured = any(not isinstance(point, int) for point in points)
  return ['originals.png'] if pictured else []


def write_originals(
  output: Output,
  model: 'Model',
  points: 'Points',
  labels: Sequence[str],
  noise: str,
) -> None:
  """Writes originals.png: the images given, and beside each what G makes.

  Args:
    output: to write it to.
    model: whose G draws.
    points: those that come from images are shown, if there are any.
    labels: of all points, see `labels_of`.
    noise: one of choices.NOISES.
  """
  from alae_jax.inference import pictures
  from alae_jax.inference.latents import draw

  if not points.pictured:
    return
  rows = np.asarray(points.pictured)
  results = draw(model, points.styles[rows], noise, points.noise_keys[rows])
  output.write_sheet(
    'originals.png',
    pictures.beside(points.originals, results),
    pairs([labels[row] for row in points.pictured], 1),
  )


def pairs(labels: Sequence[str], columns: int) -> Sheet:
  """A sheet of originals and results, side by side, so many pairs in a row."""
  return Sheet(
    2 * columns,
    together=2,
    heads=['original', 'result'] * columns,
    captions=labels,
  )


def locate(
  model: 'Model', points: Sequence[int | epath.Path], args: argparse.Namespace
) -> 'Points':
  """Points in w; --truncation and --cutoff hold for seeds."""
  from alae_jax.inference import latents

  return latents.locate(model, points, args.truncation, args.cutoff)


def _parse_seeds(word: str) -> list[int]:
  try:
    return options.seeds(word)
  except argparse.ArgumentTypeError as error:
    raise UserError(str(error)) from None
