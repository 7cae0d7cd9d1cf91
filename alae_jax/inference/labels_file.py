"""A CSV file with labels of the user's own images."""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from etils import epath

from alae_jax import storage
from alae_jax.data import decoding
from alae_jax.errors import UserError, reason

# name of an attribute -> its value for each image, [N]
Attributes = Mapping[str, np.ndarray]

# number of a line -> its fields
_Row = tuple[int, list[str]]


def read_csv(path: str) -> tuple[list[epath.Path], Attributes]:
  """The images that a CSV file names, and their labels.

  Args:
    path: of a file in UTF-8, with commas between fields, and a header; the
      first column holds image files, relative to its folder and each once, and
      every other one an attribute, of classes.

  Returns:
    Files [N], which are there, and the attributes.

  Raises:
    UserError: the file is not like that; names the line.
  """
  source = storage.locate(path)
  names, rows = _parse(path, _read(source, path))
  _check_header(path, names, source.parent)
  _check_rows(path, names, rows)
  files = list(_files(path, rows, source.parent))
  attributes = {
    name: np.array([row[i] for _, row in rows])
    for i, name in enumerate(names[1:], 1)
  }
  for name, values in attributes.items():
    _check_classes(path, name, values)
  return files, attributes


def _read(source: epath.Path, path: str) -> str:
  storage.require_file(source)
  try:
    return source.read_bytes().decode('utf-8-sig')
  except UnicodeDecodeError:
    raise UserError(f'labels {path} is not in UTF-8: save it as that') from None
  except OSError as error:
    raise UserError(f'labels {path} cannot be read: {reason(error)}') from None


def _parse(path: str, text: str) -> tuple[list[str], list[_Row]]:
  """The header, and every row that is not empty, without outer spaces."""
  reader = csv.reader(
    io.StringIO(text, newline=''), skipinitialspace=True, strict=True
  )
  try:
    rows = [
      (reader.line_num, [field.strip() for field in row])
      for row in reader
      if row
    ]
  except csv.Error as error:
    raise UserError(f'{path}: line {reader.line_num}: {error}') from None
  names = rows.pop(0)[1] if rows else []
  for sign, name in ((';', 'semicolons'), ('\t', 'tabs')):
    if len(names) == 1 and sign in names[0]:
      raise UserError(f'{path} has {name} between fields: make them commas')
  if len(names) < 2 or not rows:
    raise UserError(
      f'{path} must have a header such as file,smile and a line for each image'
    )
  return names, rows


def _check_header(path: str, names: Sequence[str], folder: epath.Path) -> None:
  first = names[0]
  if epath.Path(first).suffix.lower() in decoding.EXTENSIONS or (
    first and (folder / first).is_file()
  ):
    raise UserError(
      f'{path}: line 1 names the image {first}: put a header such as '
      'file,smile before it'
    )
  for i, name in enumerate(names):
    if not name:
      raise UserError(f'{path}: column {i + 1} has no name in the header')
    if name in names[:i]:
      raise UserError(f'{path}: the header names {name!r} twice: rename one')


def _check_rows(path: str, names: Sequence[str], rows: Sequence[_Row]) -> None:
  for line, row in rows:
    if len(row) != len(names):
      raise UserError(
        f'{path}: line {line} has {len(row)} fields and the header {len(names)}'
      )
    for name, field in zip(names, row, strict=True):
      if not field:
        raise UserError(
          f'{path}: line {line}: {name} is blank: fill it in, or leave the '
          'line out'
        )


def _files(
  path: str, rows: Sequence[_Row], folder: epath.Path
) -> Iterator[epath.Path]:
  """The file of each row.

  One that is named twice could be among those that a direction is fitted on
  and among those that it is tested on.
  """
  lines: dict[str, int] = {}
  for line, row in rows:
    file = folder / row[0]
    if not file.exists():
      raise UserError(f'{path}: line {line}: {file}: no such file')
    first = lines.setdefault(os.path.normpath(file), line)
    if first != line:
      raise UserError(
        f'{path}: line {line} names {row[0]} again, after line {first}'
      )
    yield file


def _check_classes(path: str, name: str, values: np.ndarray) -> None:
  """Refuses scores, each of which would be a class, and classes of one."""
  kinds, counts = np.unique(values, return_counts=True)
  if len(kinds) > 2 and any(map(_is_fraction, kinds)):
    raise UserError(
      f'{path}: {name} has {len(kinds)} different numbers such as {kinds[0]}: '
      'labels are classes: make them two, as high and low'
    )
  if len(kinds) > 1 and counts.min() < 2:
    raise UserError(
      f'{path}: a single image has {name} {kinds[counts.argmin()]}: label two '
      'of a class at least'
    )


def _is_fraction(value: str) -> bool:
  try:
    return float(value) % 1 != 0
  except ValueError:
    return False
