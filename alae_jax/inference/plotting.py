"""Which runs' curves are drawn, and which numbers of them."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence

from etils import epath
from PIL import Image

from alae_jax import storage
from alae_jax.errors import UserError, tell
from alae_jax.inference import curves
from alae_jax.runs import records, series
from alae_jax.runs.folder import RunFolder, open_folder
from alae_jax.runs.series import Curves

# Of as many panels the picture has a height that viewers show.
_MOST_NUMBERS = 100
_MOST_RUNS = 50


def plot(
  workdir: epath.PathLike,
  *others: epath.PathLike,
  metrics: str | None = None,
) -> Image.Image:
  """The curves of runs over images seen, which a notebook shows.

  The picture that `alae plot` writes.

  Args:
    workdir: a run folder.
    *others: to compare it with; each has a colour.
    metrics: separated by commas: names in metrics.jsonl or their beginnings,
      such as 'loss,probe'; None for all.

  Raises:
    UserError: one is no run or has nothing to draw, or there is no such number.
  """
  names = [os.fspath(run) for run in (workdir, *others)]
  return Image.open(io.BytesIO(draw(names, metrics, 'png')))


def draw(workdirs: Sequence[str], metrics: str | None, ending: str) -> bytes:
  """The same as a file.

  Args:
    workdirs: run folders.
    metrics: see `plot`.
    ending: of the file's name, 'png' or 'svg'.

  Raises:
    UserError: see `plot`.
  """
  if len(workdirs) > _MOST_RUNS:
    raise UserError(
      f'{len(workdirs)} runs are more than colours can tell apart: name '
      f'at most {_MOST_RUNS}'
    )
  runs = _choose(dict(_read(workdirs)), metrics)
  return curves.draw(runs, ending)


def _read(workdirs: Sequence[str]) -> Iterator[tuple[str, Curves]]:
  """The curves of each run by its name, in the order in which they were given.

  Raises:
    UserError: one is no run, is given twice or has nothing to draw.
  """
  folders = [open_folder(workdir) for workdir in workdirs]
  for name, folder in zip(_names(folders, workdirs), folders, strict=True):
    if folder.metrics.exists():
      storage.require_file(folder.metrics)
    found = series.curves_of(records.each(folder.metrics))
    if not found.series:
      raise UserError(
        f'{folder.path}: metrics.jsonl holds no numbers to draw: train or '
        'evaluate the run first'
      )
    yield name, found


def _names(folders: Sequence[RunFolder], workdirs: Sequence[str]) -> list[str]:
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
  runs: Mapping[str, Curves], metrics: str | None
) -> dict[str, Curves]:
  """What is to be drawn of each run; those with none of it are told of."""
  known = list(
    dict.fromkeys(name for found in runs.values() for name in found.names())
  )
  wanted = known if metrics is None else _parse(metrics, known)
  if len(wanted) > _MOST_NUMBERS:
    raise UserError(
      f'metrics are {len(wanted)} numbers, more than one picture can show: '
      'choose some'
    )
  chosen = {name: found.only(wanted) for name, found in runs.items()}
  for name, found in chosen.items():
    if not found.series:
      tell(f'warning: {name} has none of these numbers: not drawn')
  return {name: found for name, found in chosen.items() if found.series}


def _parse(text: str, known: Sequence[str]) -> list[str]:
  """'loss,probe' -> names of numbers, of which there must be one."""
  words = [word.strip() for word in text.split(',') if word.strip()]
  if not words:
    raise UserError(
      f'metrics {text!r} names no number: there is {", ".join(known)}'
    )
  for i, word in enumerate(words):
    if word in words[:i]:
      raise UserError(f'metrics {text!r} names {word!r} twice')
  try:
    return series.choose(known, words)
  except UserError as error:
    raise UserError(f'metrics {text!r}: {error}') from None
