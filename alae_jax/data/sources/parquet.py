"""Parquet files with a column of image files, as hubs give datasets."""

import collections
import json
import pathlib
import re
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath

from alae_jax import progress, storage
from alae_jax.data.sources import base
from alae_jax.errors import UserError, printable

TITLE = 'Parquet with a column of images'
_SPLIT = re.compile(r'(train|test|validation|valid|val)[-_.]')
_LABELS = ('label', 'labels', 'class', 'fine_label', 'target')

Place = tuple[str, str, int, int]


class ColumnReader(base.Reader):
  """Reads images; a place is a file, a column, a row group and a row in it.

  A thread keeps the row group that it read last, tens or hundreds of MB.
  """

  def __init__(self) -> None:
    """Reads nothing yet."""
    self._kept = threading.local()

  def __reduce__(self) -> tuple:
    return ColumnReader, ()

  def read(self, place: Place) -> bytes:
    """Returns the image file in the row."""
    path, column, group, row = place
    if getattr(self._kept, 'place', None) != place[:3]:
      self._kept.place = None
      self._kept.values = _column(path, column, group)
      self._kept.place = place[:3]
    if row >= len(self._kept.values):
      raise base.BadImage('the row is no longer in the file')
    value = self._kept.values[row].as_py()
    if isinstance(value, dict):
      value = value.get('bytes')
    if not isinstance(value, bytes):
      raise base.BadImage('the row has no image')
    return value


def holds(path: epath.Path) -> bool:
  """Whether it is such a file, or a folder with one."""
  if storage.is_remote(path):
    return False
  if path.is_dir():
    return bool(_files(path))
  if not path.is_file():
    return False
  with open(path, 'rb') as file:
    return file.read(4) == b'PAR1'


def open_source(path: epath.Path) -> base.Source:
  """Lists the rows of a file, or of all of a folder, in their order.

  Raises:
    UserError: a file is damaged, or no column or several hold images.
  """
  files = _files(path) if path.is_dir() else [path]
  if not files:
    raise UserError(f'source {path}: there is no .parquet file')
  opened = [(file, _open(file)) for file in files]
  schema = opened[0][1].schema_arrow
  column = _image_column(files[0], schema)
  label = _label_column(schema)
  for file, parquet in opened:
    for name in filter(None, (column, label)):
      if name not in parquet.schema_arrow.names:
        raise UserError(
          f"{file} has no column '{name}' as {files[0].name} has: give each "
          'dataset a folder'
        )
  places: list[Place] = []
  sizes: list[int] = []
  rows_of: dict[str, list[np.ndarray]] = collections.defaultdict(list)
  for file, parquet in progress.over(opened, 'listing', unit='files'):
    start = len(places)
    for group in range(parquet.num_row_groups):
      about = parquet.metadata.row_group(group)
      places += [(str(file), column, group, r) for r in range(about.num_rows)]
      # Single images' sizes would cost reading them all.
      sizes += [about.total_byte_size] * about.num_rows
    rows_of[_split_of(file)].append(np.arange(start, len(places)))
  if not places:
    raise UserError(f'source {path}: its Parquet files have no rows')
  splits = {split: np.concatenate(rows) for split, rows in rows_of.items()}
  return base.Source(
    path=path,
    reader=ColumnReader(),
    names=_names(path, opened),
    places=places,
    sizes=sizes,
    labels=_labels(opened, label) if label else None,
    splits=splits if '' not in splits else None,
    stamp=base.stamp_of(files),
  )


def _files(folder: epath.Path) -> list[epath.Path]:
  return sorted(map(epath.Path, pathlib.Path(folder).rglob('*.parquet')))


def _open(path: epath.Path) -> Any:
  import pyarrow
  import pyarrow.parquet

  storage.require_file(path)
  try:
    return pyarrow.parquet.ParquetFile(path)
  except (pyarrow.ArrowException, OSError) as error:
    raise UserError(_damaged(path, error)) from None


def _damaged(path: epath.Path, error: BaseException) -> str:
  why = printable(str(error), 100)
  return f'{path} is a damaged Parquet file ({why}); get it again'


def _column(path: str, column: str, group: int) -> Any:
  import pyarrow

  try:
    with _open(epath.Path(path)) as parquet:
      return parquet.read_row_group(group, [column])[column]
  except (pyarrow.ArrowException, OSError, UserError) as error:
    raise base.BadImage(printable(str(error), 200)) from None


def _image_column(path: epath.Path, schema: Any) -> str:
  """The column that holds image files: by the hub's word, or by its type."""
  features = _features(schema)
  found = [n for n, about in features.items() if about.get('_type') == 'Image']
  if not found:
    found = [f.name for f in schema if _is_struct_with_bytes(f.type)]
  if not found:
    found = [f.name for f in schema if 'binary' in str(f.type)]
  if len(found) == 1:
    return found[0]
  if 'image' in found:
    return 'image'
  if found:
    raise UserError(
      f'{path} has several columns of images, {", ".join(found)}: call the one '
      "that is meant 'image'"
    )
  there = ', '.join(schema.names[:9])
  raise UserError(f'{path} has no column of image files, only {there}')


def _is_struct_with_bytes(kind: Any) -> bool:
  import pyarrow

  return pyarrow.types.is_struct(kind) and kind.get_field_index('bytes') >= 0


def _features(schema: Any) -> dict[str, dict]:
  """What the hub says of the columns."""
  about = (schema.metadata or {}).get(b'huggingface')
  try:
    features = json.loads(about)['info']['features'] if about else {}
  except (ValueError, KeyError, TypeError):
    return {}
  return {n: f for n, f in features.items() if isinstance(f, dict)}


def _label_column(schema: Any) -> str | None:
  features = _features(schema)
  found = [
    name for name, about in features.items()
    if about.get('_type') == 'ClassLabel'
  ]  # fmt: skip
  if not found:
    found = [name for name in _LABELS if name in schema.names]
  return found[0] if len(found) == 1 else None


def _labels(
  opened: Sequence[tuple[epath.Path, Any]], column: str
) -> base.Labels | None:
  """Numbers with the hub's names, or the names themselves, sorted."""
  values = np.concatenate(
    [_read_column(file, parquet, column) for file, parquet in opened]
  )
  if values.dtype.kind not in 'iu':
    if not all(isinstance(value, str) for value in values):
      return None  # of other kinds, or not for all
    names, of_images = np.unique(values.astype(str), return_inverse=True)
    return base.Labels([str(n) for n in names], of_images.astype(np.int64))
  if values.min() < 0:  # how hubs mark a label that is kept secret
    return None
  about = _features(opened[0][1].schema_arrow).get(column, {})
  given = about.get('names') or []
  labels = base.Labels.numbered(opened[0][0], values.tolist())
  rest = labels.names[len(given) :]
  return base.Labels([*map(str, given), *rest], labels.of_images)


def _read_column(path: epath.Path, parquet: Any, column: str) -> np.ndarray:
  import pyarrow

  try:
    return parquet.read([column])[column].to_numpy()
  except (pyarrow.ArrowException, OSError, KeyError) as error:
    raise UserError(_damaged(path, error)) from None


def _names(
  root: epath.Path, opened: Sequence[tuple[epath.Path, Any]]
) -> list[str]:
  """FILE/ROW: paths that the rows may tell would cost reading the images."""
  found = []
  for file, parquet in opened:
    stem = file.relative_to(root).as_posix() if root.is_dir() else file.name
    found += [f'{stem}/{row:08d}' for row in range(parquet.metadata.num_rows)]
  return found


def _split_of(path: epath.Path) -> str:
  match = _SPLIT.match(path.name) or _SPLIT.match(f'{path.parent.name}-')
  return match[1] if match else ''
