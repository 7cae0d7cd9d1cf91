"""`alae reconstruct`: the user's own images, encoded and decoded."""

import argparse
import itertools
import os
from collections.abc import Iterable, Sequence

import numpy as np
from etils import epath

from alae_jax.commands import options
from alae_jax.commands import points as points_lib
from alae_jax.commands.output import Output
from alae_jax.errors import printable
from alae_jax.inference import pictures

_PAIRS_IN_A_SHEET = 64
_PAIRS_IN_A_ROW = 4
_LONGEST_STEM = 240  # bytes; a number and an ending follow


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae reconstruct`."""
  options.add_run(
    parser,
    'a PNG for each image, sheets with the originals '
    'beside the results, and reconstruct.json',
  )
  parser.add_argument(
    'images',
    metavar='IMAGE',
    nargs='+',
    type=options.path,
    help='a file or a folder; the central square is resized',
  )
  options.add_noise(parser, 'constant')


def run(args: argparse.Namespace) -> None:
  """Writes results and sheets, and prints a table."""
  from alae_jax.inference.user_images import find_files, read_pictures
  from alae_jax.metrics.reconstruction import reconstruct

  files = find_files(args.images)
  sheets = [
    f'reconstruct_{i:03d}.png'
    for i in range(-(-len(files) // _PAIRS_IN_A_SHEET))
  ]
  names = result_names(files, sheets)
  output = Output(args)
  output.claim(names + sheets)
  loaded = points_lib.open_run(args)
  numbers = []
  for i, sheet in enumerate(sheets):
    page = slice(i * _PAIRS_IN_A_SHEET, (i + 1) * _PAIRS_IN_A_SHEET)
    originals = read_pictures(files[page], loaded.model)
    results, measured = reconstruct(
      loaded.model, originals, args.noise, range(len(files))[page]
    )
    for name, result in zip(names[page], results, strict=True):
      output.write_image(name, result)
    labels = points_lib.labels_of(files[page])
    output.write_sheet(
      sheet,
      pictures.beside(originals, results),
      points_lib.pairs(labels, min(_PAIRS_IN_A_ROW, len(labels))),
    )
    numbers.append(measured)
  table = np.concatenate(numbers)
  print(describe([printable(str(path)) for path in files], table))
  output.finish(
    loaded,
    mean=_named(table.mean(0)),
    images=[
      {'file': str(path), 'result': name, **_named(row)}
      for path, name, row in zip(files, names, table, strict=True)
    ],
  )


def result_names(
  files: Sequence[epath.Path], taken: Iterable[str] = ()
) -> list[str]:
  """A PNG for each file, in order; a number tells those of one name apart.

  Args:
    files: the images.
    taken: names that no result may have.
  """
  names: list[str] = []
  used = set(taken)
  for path in files:
    stem = os.fsdecode(os.fsencode(path.stem)[:_LONGEST_STEM])
    tried = itertools.chain(
      [f'{stem}.png'], (f'{stem}_{i}.png' for i in itertools.count(2))
    )
    names.append(next(name for name in tried if name not in used))
    used.add(names[-1])
  return names


def describe(names: Sequence[str], numbers: np.ndarray) -> str:
  """A line for each image and the mean, aligned for reading."""
  width = max(len(name) for name in [*names, 'mean'])
  lines = [f'{"":<{width}}  latent distance     PSNR    SSIM']
  rows = zip([*names, 'mean'], [*numbers, numbers.mean(0)], strict=True)
  for name, (distance, decibels, similarity) in rows:
    lines.append(
      f'{name:<{width}}  {distance:>15.4f}  {decibels:>7.2f}'
      f'  {similarity:>6.3f}'
    )
  return '\n'.join(lines)


def _named(row: np.ndarray) -> dict[str, float]:
  from alae_jax.metrics.reconstruction import MEASURES

  return dict(zip(MEASURES, row.tolist(), strict=True))
