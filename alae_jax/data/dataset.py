"""Random access to images: what a dataset is, in memory or not.

A dataset has a length and gives one example by index, as Grain wants, or many
at once. Images are uint8 [H, W, C]; labels are there where the data has
them.
"""

import abc
import concurrent.futures
import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from alae_jax import progress

_CHUNK = 256  # images that a thread decodes at a time


class Dataset(abc.ABC):
  """Images of one split at one resolution.

  Attributes:
    name: the dataset's name.
    resolution: the images' side.
    channels: 1 or 3.
    num_classes: the number of classes; None where there are no labels.
    class_names: of the classes, where they have any but their numbers.
  """

  name: str
  resolution: int
  channels: int
  num_classes: int | None
  class_names: Sequence[str] = ()

  @property
  def has_labels(self) -> bool:
    """Whether the examples have a label."""
    return self.num_classes is not None

  @property
  def image_bytes(self) -> int:
    """The size of one image in memory."""
    return self.resolution**2 * self.channels

  @property
  @abc.abstractmethod
  def fingerprint(self) -> str:
    """A short text that changes with the images or their order."""

  @abc.abstractmethod
  def __len__(self) -> int:
    """Returns the number of images."""

  @abc.abstractmethod
  def batch(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
    """Returns {'image': uint8 [N, H, W, C], 'label': int64 [N]} of indices."""

  def __getitem__(self, index: int) -> dict[str, Any]:
    """Returns {'image': uint8 [H, W, C], 'label': int}."""
    example = self.batch([index])
    return {
      key: values[0] if key == 'image' else int(values[0])
      for key, values in example.items()
    }

  def __repr__(self) -> str:
    shape = f'{self.resolution}x{self.resolution}x{self.channels}'
    return f'{type(self).__name__}({self.name}, {len(self)} images, {shape})'


class ArrayDataset(Dataset):
  """A dataset whose images are in memory."""

  def __init__(
    self,
    name: str,
    image: np.ndarray,
    label: np.ndarray | None = None,
    num_classes: int | None = None,
  ):
    """Wraps uint8 [N, H, W, C] and int64 [N]."""
    self.name, self.num_classes = name, num_classes
    self.resolution, self.channels = image.shape[2:]
    self._arrays = {'image': image}
    if label is not None:
      self._arrays['label'] = label

  @property
  def fingerprint(self) -> str:
    """Of the pixels."""
    image = self._arrays['image']
    return digest(str(image.shape).encode(), np.ascontiguousarray(image))

  def __len__(self) -> int:
    return len(self._arrays['image'])

  def batch(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
    """Gathers the examples at the indices."""
    return {key: array[indices] for key, array in self._arrays.items()}


class Subset(Dataset):
  """Some of another's images, in an order of its own."""

  def __init__(self, whole: Dataset, rows: Sequence[int] | np.ndarray):
    """Takes the images of `whole` at these indices."""
    self.name, self.num_classes = whole.name, whole.num_classes
    self.resolution, self.channels = whole.resolution, whole.channels
    self._whole, self._rows = whole, np.asarray(rows)

  @property
  def fingerprint(self) -> str:
    """Of the other and of what is taken of it."""
    rows = np.ascontiguousarray(self._rows, np.int64)
    return digest(self._whole.fingerprint.encode(), rows)

  def __len__(self) -> int:
    return len(self._rows)

  def batch(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
    """Gathers the examples at the indices."""
    return self._whole.batch(self._rows[indices])


def digest(*parts: Any) -> str:
  """A short text that tells one content from another.

  Args:
    *parts: bytes, or arrays that lie in one piece.
  """
  sha256 = hashlib.sha256()
  for part in parts:
    sha256.update(part)
  return sha256.hexdigest()[:16]


def in_memory(dataset: Dataset, limit_bytes: int = 1 << 30) -> Dataset:
  """Decodes a dataset once into one array, if that is within the limit.

  Args:
    dataset: any dataset.
    limit_bytes: the most that its images may take.

  Returns:
    A dataset with the same examples; the one given if it is in memory
    already or too large.
  """
  too_large = len(dataset) * dataset.image_bytes > limit_bytes
  if isinstance(dataset, ArrayDataset) or too_large:
    return dataset
  chunks = [
    range(start, min(start + _CHUNK, len(dataset)))
    for start in range(0, len(dataset), _CHUNK)
  ]
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    done = pool.map(dataset.batch, chunks)
    title = f'decoding {dataset.name}'
    parts = list(progress.over(done, title, len(chunks), 'pieces'))
  arrays = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
  return ArrayDataset(dataset.name, num_classes=dataset.num_classes, **arrays)
