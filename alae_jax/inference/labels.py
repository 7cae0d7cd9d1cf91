"""Codes and labels of images: a CSV file's or a dataset's."""

import csv
import io
import re
from collections.abc import Iterator, Mapping

import numpy as np

from alae_jax import storage
from alae_jax.data.datasets import Subset
from alae_jax.errors import UserError
from alae_jax.inference.embedding import embed, open_dataset_of
from alae_jax.inference.model import Model
from alae_jax.inference.user_images import Pictures


class Unlabelled(UserError):
  """The dataset has no labels; other ones may be given."""


# name of an attribute -> its value for each image, [N]
Attributes = Mapping[str, np.ndarray]


def codes_of_csv(path: str, model: Model) -> tuple[np.ndarray, Attributes]:
  """E of the images that a CSV file names, and their labels.

  Args:
    path: of a file with a header; the first column holds image files,
      relative to its folder, and every other one an attribute.
    model: whose E encodes.

  Returns:
    [N, w_dim], and the attributes.

  Raises:
    UserError: the file is not like that.
  """
  names, rows = _read_csv(path)
  folder = storage.locate(path).parent
  files = [folder / row[0] for _, row in rows]
  for (line, _), file in zip(rows, files, strict=True):
    if not file.exists():
      raise UserError(f'{path}: line {line}: {file}: no such file')
  codes, _ = embed(model.encode, Pictures(files, model))
  return codes, {
    name: np.array([row[i] for _, row in rows])
    for i, name in enumerate(names[1:], 1)
  }


def codes_of_dataset(
  model: Model, data_dir: str | None, limit: int
) -> tuple[np.ndarray, Attributes]:
  """E of training images, evenly chosen, and their labels.

  Raises:
    UserError: the dataset is not there.
    Unlabelled: it has no labels.
  """
  dataset = open_dataset_of(model, 'train', data_dir)
  if not dataset.has_labels:
    raise Unlabelled(f'dataset {dataset.name} has no labels')
  rows = np.linspace(0, len(dataset) - 1, min(limit, len(dataset)), dtype=int)
  codes, values = embed(model.encode, Subset(dataset, rows))
  return codes, {'label': np.asarray(values).astype(str)}


def contrasts(attributes: Attributes) -> dict[str, np.ndarray]:
  """What to tell from what: each value of an attribute from the others.

  Of two values only the larger one is told from the smaller.

  Returns:
    bool [N] by a name that can be a file's.

  Raises:
    UserError: an attribute has one value only, or two would have one name.
  """
  found: dict[str, np.ndarray] = {}
  for attribute, values in attributes.items():
    for name, positive in _contrasts_of(attribute, values):
      if name in found:
        raise UserError(
          f'two labels would make direction_{name}.npy: rename one of them'
        )
      found[name] = positive
  return found


def _contrasts_of(
  attribute: str, values: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
  kinds = sorted(set(values.tolist()), key=_by_number)
  if len(kinds) < 2:
    raise UserError(
      f'every {attribute} is {kinds[0]!r}: two values at least '
      'are needed to tell a direction'
    )
  if len(kinds) == 2:
    yield _plain(attribute), values == kinds[1]
  else:
    for kind in kinds:
      yield f'{_plain(attribute)}_{_plain(kind)}', values == kind


def _read_csv(path: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
  """The header, and the line and fields of each row that is not empty."""
  source = storage.locate(path)
  try:
    text = source.read_text()
  except (OSError, UnicodeDecodeError) as error:
    raise UserError(f'labels {path} cannot be read: {error}') from None
  reader = csv.reader(io.StringIO(text), skipinitialspace=True)
  names = next(reader, [])
  rows = [(reader.line_num, row) for row in reader if row]
  if len(names) < 2 or not rows:
    raise UserError(
      f'{path} must have a header such as file,smile and a line for each image'
    )
  for i, name in enumerate(names):
    if name in names[:i]:
      raise UserError(f'{path}: the header names {name!r} twice: rename one')
  for line, row in rows:
    if len(row) != len(names):
      raise UserError(
        f'{path}: line {line} has {len(row)} fields and the header {len(names)}'
      )
  return names, rows


def _by_number(value: str) -> tuple[int, float, str]:
  """Numbers in their order, before words in theirs."""
  try:
    return 0, float(value), value
  except ValueError:
    return 1, 0.0, value


def _plain(name: str) -> str:
  return re.sub(r'[^\w.-]+', '_', name)
