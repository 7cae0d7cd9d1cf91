"""Datasets that TFDS has prepared, as raw images of others."""

from typing import Any

import numpy as np
from etils import epath

from alae_jax import storage
from alae_jax.data.sources import base
from alae_jax.data.tfds_folders import INFO
from alae_jax.errors import UserError, printable, reason

TITLE = 'a dataset of TFDS'


class RowReader(base.Reader):
  """Reads image files, undecoded; a place is a split and a row.

  Attributes:
    folder: of the dataset.
    image: the name of the feature.
  """

  def __init__(self, folder: str, image: str):
    """Opens nothing yet."""
    self._folder, self._image = folder, image
    self._opened: dict[str, Any] = {}

  def __reduce__(self) -> tuple:
    return RowReader, (self._folder, self._image)

  def read(self, place: tuple[str, int]) -> bytes:
    """Returns the image file."""
    split, row = place
    try:
      if split not in self._opened:
        self._opened[split] = rows(self._folder, split, self._image)
      return self._opened[split][row][self._image]
    except Exception as error:  # of ArrayRecord's and TFDS' many kinds
      raise base.BadImage(printable(str(error), 200)) from None


def holds(path: epath.Path) -> bool:
  """Whether it is a prepared dataset's folder."""
  return (
    not storage.is_remote(path) and path.is_dir() and (path / INFO).exists()
  )


def open_source(path: epath.Path) -> base.Source:
  """Lists a dataset's images, split after split.

  Raises:
    UserError: it isn't whole, or not one in which images can be looked up.
  """
  import tensorflow_datasets as tfds

  try:
    info = tfds.builder_from_directory(path).info
  except Exception as error:  # of a damaged description, of many kinds
    why = printable(str(error), 100)
    raise UserError(f'{path} cannot be opened by TFDS ({why})') from None
  require_lookup(path, info)
  image, label = feature_names(path, info)
  names: list[str] = []
  places, labels, splits = [], [], {}
  for split, about in info.splits.items():
    count = about.num_examples
    splits[split] = np.arange(len(names), len(names) + count)
    names += [f'{split}/{row:08d}' for row in range(count)]
    places += [(split, row) for row in range(count)]
    if label:
      labels += _labels(path, split, image, label, count)
  known = None
  if label:
    known = base.Labels(info.features[label].names, np.array(labels, np.int64))
  return base.Source(
    path=path,
    reader=RowReader(str(path), image),
    names=names,
    places=places,
    sizes=[info.dataset_size] * len(names),
    labels=known,
    splits=splits,
    stamp=base.stamp_of([path / INFO]),
  )


def _labels(
  path: epath.Path, split: str, image: str, label: str, count: int
) -> list[int]:
  """The classes of a split's images, which are not decoded."""
  row = 0
  try:
    examples = rows(str(path), split, image)
    found = []
    for row in range(count):
      found.append(int(examples[row][label]))
    return found
  except Exception as error:  # of ArrayRecord's and TFDS' many kinds
    why = printable(reason(error), 200)
    raise UserError(
      f'{path} is damaged (image {row} of {split}: {why}): get it back, or let '
      'TFDS prepare it again'
    ) from None


def require_lookup(path: epath.PathLike, info: Any) -> None:
  """Raises UserError unless images can be looked up by number."""
  if info.file_format and info.file_format.value != 'array_record':
    raise UserError(
      f'{path} is in {info.file_format.value}, in which images cannot be '
      "looked up: let TFDS prepare it with file_format='array_record'"
    )


def feature_names(path: epath.PathLike, info: Any) -> tuple[str, str | None]:
  """The names of the one image feature, and of the one class, if it has one.

  Raises:
    UserError: there is no image feature, or several.
  """
  import tensorflow_datasets as tfds

  of_images, of_classes = (
    [name for name, f in info.features.items() if isinstance(f, kind)]
    for kind in (tfds.features.Image, tfds.features.ClassLabel)
  )
  if 'image' in of_images:
    of_images = ['image']
  if 'label' in of_classes:
    of_classes = ['label']
  if len(of_images) != 1:
    raise UserError(
      f'{path} has {len(of_images)} features that are images, of '
      f'{", ".join(info.features)}: one is needed'
    )
  return of_images[0], of_classes[0] if len(of_classes) == 1 else None


def rows(folder: str, split: str, undecoded: str | None = None) -> Any:
  """A split's rows, by number.

  Args:
    folder: of the dataset.
    split: its name.
    undecoded: a feature of images that are given as the files they are.
  """
  import tensorflow_datasets as tfds

  builder = tfds.builder_from_directory(folder)
  decoders = {undecoded: tfds.decode.SkipDecoding()} if undecoded else None
  return builder.as_data_source(split, decoders=decoders)
