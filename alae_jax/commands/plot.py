"""`alae plot`: curves of one run, or of several over one another."""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from etils import epath

from alae_jax import progress, storage
from alae_jax.commands import options
from alae_jax.errors import UserError, printable, tell

if TYPE_CHECKING:
  from alae_jax.runs.folder import RunFolder
  from alae_jax.runs.series import Curves

_ENDINGS = ('.png', '.svg')
# Of as many panels the picture has a height that viewers show.
_MOST_NUMBERS = 100
_MOST_RUNS = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae plot`."""
  add = parser.add_argument
  add(
    'workdirs',
    type=options.path,
    nargs='+',
    metavar='RUN',
    help='run folders; each has a colour',
  )
  add(
    '--out',
    required=True,
    type=options.path,
    metavar='FILE',
    help='a picture to write: .png or .svg',
  )
  add(
    '--metrics',
    metavar='NAMES',
    help='separated by commas: names in metrics.jsonl or their beginnings, '
    'such as loss,probe (default: all)',
  )
  add(
    '--overwrite',
    action='store_true',
    help='replace the file if it is there already',
  )


def run(args: argparse.Namespace) -> None:
  """Reads the records, draws them and says where."""
  out = _claim(args.out, args.overwrite)
  if len(args.workdirs) > _MOST_RUNS:
    raise UserError(
      f'{len(args.workdirs)} runs are more than colours can tell apart: name '
      f'at most {_MOST_RUNS}'
    )
  with progress.telling('reading'):
    runs = dict(_read(args.workdirs))
  runs = _choose(runs, args.metrics)
  with progress.telling('drawing'):
    from alae_jax.inference import curves

    picture = curves.draw(runs, out.suffix[1:].lower())
  out.parent.mkdir(parents=True, exist_ok=True)
  storage.write_whole(out, picture)
  print(f'wrote {printable(str(out))}')


def _claim(name: str, overwrite: bool) -> epath.Path:
  """Where the picture is to be, if it may."""
  path = storage.locate(name)
  if path.suffix.lower() not in _ENDINGS:
    raise UserError(f'--out {name}: name a file that ends in .png or .svg')
  if path.is_dir():
    raise UserError(f'--out {name} is a folder: name a file')
  storage.require_folder(path.parent)
  if (os.path.lexists(path) or path.exists()) and not overwrite:
    raise UserError(
      f'{name} is there already: give another --out, or --overwrite'
    )
  return path


def _read(workdirs: Sequence[str]) -> Iterator[tuple[str, 'Curves']]:
  """The curves of each run by its name, in the order in which they were given.

  Raises:
    UserError: one is no run, is given twice or has nothing to draw.
  """
  from alae_jax.runs import records, series
  from alae_jax.runs.folder import open_folder

  folders = [open_folder(workdir) for workdir in workdirs]
  for name, folder in zip(_names(folders, workdirs), folders, strict=True):
    if folder.metrics.exists():
      storage.require_file(folder.metrics)
    curves = series.curves_of(records.each(folder.metrics))
    if not curves.series:
      raise UserError(
        f'{folder.path}: metrics.jsonl holds no numbers to draw: train or '
        'evaluate the run first'
      )
    yield name, curves


def _names(
  folders: Sequence['RunFolder'], workdirs: Sequence[str]
) -> list[str]:
  """The last folder of each path, or as many as tell it from the others."""
  places = [_place(folder.path) for folder in folders]
  for i, place in enumerate(places):
    if place in places[:i]:
      raise UserError(
        f'{workdirs[i]} is the same run as {workdirs[places.index(place)]}: '
        'name it once'
      )
  paths = [_parts(folder.path) for folder in folders]
  return [_shortest(parts, paths) for parts in paths]


def _place(path: epath.Path) -> str:
  """The same for every name of a folder."""
  name = os.fspath(path)
  return name if storage.is_remote(path) else os.path.realpath(name)


def _parts(path: epath.Path) -> list[str]:
  """Of the whole path, also of one such as `.`."""
  name = os.fspath(path)
  whole = name if storage.is_remote(path) else os.path.abspath(name)
  return [part for part in whole.split('/') if part]


def _shortest(parts: list[str], among: Sequence[list[str]]) -> str:
  """As many of the last parts as no other path ends with; all, if need be."""
  for count in range(1, len(parts)):
    if sum(other[-count:] == parts[-count:] for other in among) == 1:
      return '/'.join(parts[-count:])
  return '/'.join(parts)


def _choose(
  runs: Mapping[str, 'Curves'], metrics: str | None
) -> dict[str, 'Curves']:
  """What is to be drawn of each run; those with none of it are told of."""
  known = list(
    dict.fromkeys(name for curves in runs.values() for name in curves.names())
  )
  wanted = known if metrics is None else _parse(metrics, known)
  if len(wanted) > _MOST_NUMBERS:
    raise UserError(
      f'{len(wanted)} numbers are more than one picture can show: choose some '
      'with --metrics'
    )
  chosen = {name: curves.only(wanted) for name, curves in runs.items()}
  for name, curves in chosen.items():
    if not curves.series:
      tell(f'warning: {name} has none of these numbers: not drawn')
  return {name: curves for name, curves in chosen.items() if curves.series}


def _parse(text: str, known: Sequence[str]) -> list[str]:
  """'loss,probe' -> names of numbers, of which there must be one."""
  from alae_jax.runs import series

  words = [word.strip() for word in text.split(',') if word.strip()]
  if not words:
    raise UserError(
      f'--metrics {text!r} names no number: there is {", ".join(known)}'
    )
  for i, word in enumerate(words):
    if word in words[:i]:
      raise UserError(f'--metrics {text!r} names {word!r} twice')
  try:
    return series.choose(known, words)
  except UserError as error:
    raise UserError(f'--metrics {text!r}: {error}') from None
