"""The classes of a source's images, as a user names them."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from alae_jax import storage
from alae_jax.data.sources import base
from alae_jax.errors import UserError

FOLDERS = 'folders'
NONE = 'none'


def find_labels(source: base.Source, labels: str | None) -> base.Labels | None:
  """Labels by the user's choice.

  Args:
    source: the images.
    labels: None: the source's own, if it has any; 'none'; 'folders': the name
      of the outermost folder that an image is in; else a CSV file of a header
      and a line 'file,class' for every image.

  Raises:
    UserError: there are none such, or the file doesn't fit the images.
  """
  if labels is None:
    return source.labels
  if labels == NONE:
    return None
  if labels == FOLDERS:
    return _of_names(_outermost(source))
  return _of_names(_from_file(source, labels))


def _of_names(names: Sequence[str]) -> base.Labels:
  """Classes sorted by name."""
  classes, of_images = np.unique(np.array(names), return_inverse=True)
  return base.Labels([str(c) for c in classes], of_images.astype(np.int64))


def _outermost(source: base.Source) -> list[str]:
  found = []
  for name in source.names:
    folder, slash, _ = name.partition('/')
    if not slash:
      raise UserError(
        f'labels folders: {name} of {source.path} is in no folder of it'
      )
    found.append(folder)
  return found


def _from_file(source: base.Source, path: str) -> list[str]:
  """The class of each image in a CSV file."""
  file = storage.locate(path)
  storage.require_file(file)
  try:
    text = file.read_bytes().decode('utf-8-sig')
  except UnicodeDecodeError:
    raise UserError(f'labels {path} is not UTF-8 text') from None
  rows = [row for row in csv.reader(io.StringIO(text, newline='')) if row]
  if not rows or any(len(row) != 2 for row in rows):
    raise UserError(
      f'labels {path} must have a header such as file,class and two fields in '
      'every line'
    )
  given = {name.strip(): label.strip() for name, label in rows[1:]}
  missing = [name for name in source.names if name not in given]
  if missing:
    raise UserError(
      f'labels {path} lacks {len(missing):,} of {len(source):,} images, such '
      f'as {missing[0]}'
    )
  return [given[name] for name in source.names]
