"""Random access to the images of a dataset: what the pipeline reads.

A dataset has a length and gives one example by index, as Grain wants, or many
at once. Images are uint8 [H, W, C]; labels are there where the data has
them.
"""

import abc
import concurrent.futures
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from alae_jax import progress, storage
from alae_jax.config import UNNAMED
from alae_jax.data import digits, remote
from alae_jax.errors import UserError

SPLITS = ('train', 'test')
DIGITS = 'digits'  # the dataset that needs no preparing
_CHUNK = 256  # images that a thread decodes at a time


class Missing(UserError):
  """A dataset is not there, and the message says how to make it."""


class Dataset(abc.ABC):
  """Images of one split at one resolution.

  Attributes:
    name: the dataset's name.
    resolution: the images' side.
    channels: 1 or 3.
    num_classes: the number of classes; None where there are no labels.
  """

  name: str
  resolution: int
  channels: int
  num_classes: int | None

  @property
  def has_labels(self) -> bool:
    """Whether the examples have a label."""
    return self.num_classes is not None

  @property
  def image_bytes(self) -> int:
    """The size of one image in memory."""
    return self.resolution**2 * self.channels

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

  def __len__(self) -> int:
    return len(self._rows)

  def batch(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
    """Gathers the examples at the indices."""
    return self._whole.batch(self._rows[indices])


class PreparedDataset(Dataset):
  """A dataset that `alae prepare` made: read and decoded as needed."""

  def __init__(self, directory: epath.PathLike, split: str):
    """Opens data_dir/NAME/CONFIG/VERSION.

    Raises:
      UserError: the dataset has no such split.
    """
    builder = tfds.builder_from_directory(directory)
    _check_split(directory, split, list(builder.info.splits))
    features = builder.info.features
    self.name = builder.name
    self.resolution, _, self.channels = features['image'].shape
    labelled = 'label' in features
    self.num_classes = features['label'].num_classes if labelled else None
    self._directory = epath.Path(directory)
    self._split = builder.info.splits[split]
    self._examples: Any = None
    self._opening = threading.Lock()  # many threads read

  def __len__(self) -> int:
    return self._split.num_examples

  def batch(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
    """Reads and decodes the examples at the indices."""
    # Many at once: small images take a quarter of the time one by one does.
    examples = self._open().__getitems__([int(i) for i in indices])
    batch = {'image': np.stack([e['image'] for e in examples])}
    if self.has_labels:
      batch['label'] = np.asarray([e['label'] for e in examples], np.int64)
    return batch

  def _open(self) -> Any:
    """Opens the images, which copies a remote dataset, when first needed."""
    with self._opening:
      if self._examples is None:
        local = remote.local_copy(self._directory, self._split.filenames)
        builder = tfds.builder_from_directory(local)
        self._examples = builder.as_data_source(self._split.name)
      return self._examples


def open_dataset(
  name: str, data_dir: epath.PathLike, split: str, resolution: int
) -> Dataset:
  """Opens one split of a dataset at one resolution.

  Args:
    name: 'digits', which is always there, or the name of a dataset that
      `alae prepare` made.
    data_dir: where datasets are kept; local or remote.
    split: 'train' or 'test'.
    resolution: the images' side.

  Raises:
    Missing: there is no such dataset or resolution; the message says how to
      make it.
    UserError: it can't be there, or has no such split.
  """
  if split not in SPLITS:
    raise UserError(f'split {split!r} is not one of {", ".join(SPLITS)}')
  if name == DIGITS:
    return _open_digits(split, resolution)
  return PreparedDataset(_directory(name, data_dir, resolution), split)


def has_split(
  name: str, data_dir: epath.PathLike, split: str, resolution: int
) -> bool:
  """Whether a dataset that is there has a split: small ones have no test.

  The arguments and errors are those of `open_dataset`.
  """
  if name == DIGITS:
    return split in SPLITS
  directory = _directory(name, data_dir, resolution)
  return split in tfds.builder_from_directory(directory).info.splits


def available(name: str, data_dir: epath.PathLike) -> dict[int, epath.Path]:
  """Returns the resolutions a dataset is there at, and their folders.

  Only whole datasets count. Of several versions the newest does.
  """
  root = storage.locate(data_dir) / name
  if not root.is_dir():
    return {}
  found = {}
  for config in root.iterdir():
    versions = _versions(config) if config.name.isdecimal() else []
    if versions:
      found[int(config.name)] = max(versions, key=_version)
  return found


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


def _directory(
  name: str, data_dir: epath.PathLike, resolution: int
) -> epath.Path:
  """The folder of a dataset at one resolution."""
  if name == UNNAMED:
    raise Missing(
      f'config.data.name is {UNNAMED!r}: an imported run does not know its '
      'dataset; give --config.data.name=NAME when importing it or training '
      "it on, or write it into the run's config.json"
    )
  found = available(name, data_dir)
  if resolution not in found:
    raise Missing(_missing(name, data_dir, resolution, sorted(found)))
  return found[resolution]


def _open_digits(split: str, resolution: int) -> ArrayDataset:
  if resolution != 8:
    raise UserError(
      f"dataset '{DIGITS}' is 8x8, not {resolution}x{resolution}; "
      'set the resolution to 8'
    )
  image, label = digits.load_digits(split)
  return ArrayDataset(DIGITS, image, label, num_classes=10)


def _versions(config: epath.Path) -> list[epath.Path]:
  """Returns the whole datasets in a config's folder.

  TFDS writes to a folder incomplete.…_1.0.0, which it renames at the end.
  """
  return [
    path
    for path in config.iterdir()
    if path.name.replace('.', '').isdecimal()
    and (path / 'dataset_info.json').exists()
  ]


def _version(path: epath.Path) -> list[int]:
  return [int(part) for part in path.name.split('.')]


def _missing(
  name: str, data_dir: epath.PathLike, resolution: int, found: list[int]
) -> str:
  """Says what is not there, what is, and the command that makes it."""
  there = ', '.join(f'{r}x{r}' for r in found)
  instead = f' (there: {there})' if found else ''
  return (
    f"no dataset '{name}' at {resolution}x{resolution} in {data_dir}{instead}; "
    + _remedy(name, data_dir, resolution, bool(found))
  )


def _remedy(
  name: str, data_dir: epath.PathLike, resolution: int, replaces: bool
) -> str:
  """Says which command makes a dataset."""
  if name not in ('mnist', 'fashion_mnist'):
    options = f'--source FOLDER --resolution {resolution} --data_dir {data_dir}'
    options += ' --overwrite' if replaces else ''
  elif resolution in (4, 8, 16, 32):
    options = f'--resolution 32 --data_dir {data_dir}'
  elif resolution == 28:
    options = f'--data_dir {data_dir}'
  else:
    return f'{name} is 28x28, or padded to 32x32, and halved down to 4x4'
  return f'make it with: alae prepare {name} {options}'


def _check_split(
  directory: epath.PathLike, split: str, found: list[str]
) -> None:
  if split not in found:
    raise UserError(
      f'{directory} has no {split} images, only {", ".join(found)}: prepare '
      'it again with --test_images COUNT --overwrite'
    )
