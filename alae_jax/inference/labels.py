"""Codes and labels of images: a CSV file's or a dataset's."""

import re
from collections.abc import Iterator

import numpy as np

from alae_jax.data.dataset import Subset
from alae_jax.errors import UserError
from alae_jax.inference.embedding import embed, open_dataset_of
from alae_jax.inference.labels_file import Attributes, read_csv
from alae_jax.inference.model import Model
from alae_jax.inference.user_images import Pictures


class Unlabelled(UserError):
  """The dataset has no labels; other ones may be given."""


# Each is fitted, and has a row in the picture.
_MOST_CLASSES = 100

# In bytes, of a label's and a class's name in that of a direction's file.
_LONGEST_NAME = 200


def codes_of_csv(path: str, model: Model) -> tuple[np.ndarray, Attributes]:
  """E of the images that a CSV file names, and their labels.

  Args:
    path: of a file, see `labels_file.read_csv`.
    model: whose E encodes.

  Returns:
    [N, w_dim], and the attributes.

  Raises:
    UserError: the file is not like that, or names a file that is no image.
  """
  files, attributes = read_csv(path)
  codes, _ = embed(model.encode, Pictures(files, model))
  return codes, attributes


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
      if len(name.encode()) > _LONGEST_NAME:
        raise UserError(f'label {name} is too long for the name of a file')
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
  if len(kinds) > _MOST_CLASSES:
    raise UserError(
      f'{attribute} has {len(kinds)} different values: a direction is found '
      f'for each of at most {_MOST_CLASSES} classes'
    )
  if len(kinds) == 2:
    yield _plain(attribute), values == kinds[1]
  else:
    for kind in kinds:
      yield f'{_plain(attribute)}_{_plain(kind)}', values == kind


def _by_number(value: str) -> tuple[int, float, str]:
  """Numbers in their order, before words in theirs."""
  try:
    return 0, float(value), value
  except ValueError:
    return 1, 0.0, value


def _plain(name: str) -> str:
  return re.sub(r'[^\w.-]+', '_', name)
