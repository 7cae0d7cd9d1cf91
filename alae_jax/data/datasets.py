"""Random access to the images of a dataset: what the pipeline reads.

A dataset has a length and gives one example by index, as Grain wants, or many
at once. Images are uint8 [H, W, C]; labels are there where the data has
them.
"""

import abc
import concurrent.futures
import os
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from alae_jax import progress, storage
from alae_jax.config import UNNAMED
from alae_jax.data import checksums, digits, remote, tfds_folders
from alae_jax.data.preparing import levels
from alae_jax.data.preparing.catalogue import DATASETS
from alae_jax.data.sources import tfds_source
from alae_jax.errors import UserError, printable, reason

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
  """A dataset on a disk, `alae prepare`'s or TFDS's: decoded as needed."""

  def __init__(self, directory: epath.PathLike, split: str):
    """Opens data_dir/NAME[/CONFIG]/VERSION.

    Raises:
      UserError: the dataset has no such split, no squares of one size, or is
        damaged.
    """
    self._directory = epath.Path(directory)
    info = describe(self._directory)
    self._split = _split_of(self._directory, split, info)
    self._image, self._label = tfds_source.feature_names(directory, info)
    shape = info.features[self._image].shape
    if shape[0] is None or shape[0] != shape[1] or shape[2] not in (1, 3):
      raise UserError(
        f'{directory} holds images of {shape}, and squares of one size are '
        f'needed: {_pyramid_of(self._directory)}'
      )
    self.name = info.name
    self.resolution, _, self.channels = shape
    self.num_classes = (
      info.features[self._label].num_classes if self._label else None
    )
    if self._label:
      self.class_names = info.features[self._label].names
    self._examples: Any = None
    self._opening = threading.Lock()  # many threads read

  def __len__(self) -> int:
    return self._split.num_examples

  def batch(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
    """Reads and decodes the examples at the indices.

    Raises:
      UserError: one is damaged; its file is named.
    """
    rows = [int(i) for i in indices]
    examples = self._open()
    try:
      # Many at once: small images take a quarter of the time one by one does.
      found = examples.__getitems__(rows)
      batch = {'image': np.stack([self._checked(e) for e in found])}
    except Exception as error:  # of ArrayRecord's, TFDS' and OpenCV's kinds
      raise UserError(self._fault(rows, error)) from None
    if self._label:
      batch['label'] = np.asarray([e[self._label] for e in found], np.int64)
    return batch

  def __reduce__(self) -> tuple:
    # Worker processes open it for themselves.
    return PreparedDataset, (os.fspath(self._directory), self._split.name)

  def _open(self) -> Any:
    """Opens the images, which copies a remote dataset, when first needed."""
    with self._opening:
      if self._examples is None:
        local = remote.local_copy(self._directory, self._split.filenames)
        if storage.is_remote(self._directory):
          checksums.check_quickly(local, self._split.filenames)
        try:
          self._require_counts(local)
          self._examples = tfds_source.rows(os.fspath(local), self._split.name)
        except UserError:
          raise
        except Exception as error:  # of ArrayRecord's and TFDS' kinds
          raise UserError(_damaged(self._directory, error)) from None
      return self._examples

  def _require_counts(self, local: epath.Path) -> None:
    """Compares the images of each shard with what the description says.

    TFDS itself leaves out in silence what a shard has more.
    """
    from array_record.python import array_record_module

    lengths = self._split.shard_lengths
    for file, length in zip(
      sorted(self._split.filenames), lengths, strict=True
    ):
      try:
        reader = array_record_module.ArrayRecordReader(os.fspath(local / file))
        count = reader.num_records()
        reader.close()
      except Exception as error:  # of ArrayRecord's kinds
        raise UserError(_damaged(self._directory / file, error)) from None
      if count != length:
        raise UserError(
          f'{self._directory / file} holds {count:,} images, and '
          f'{tfds_folders.INFO} says {length:,}: {checksums.GET_BACK}'
        )

  def _checked(self, example: dict[str, Any]) -> np.ndarray:
    image = example[self._image]
    wanted = (self.resolution, self.resolution, self.channels)
    if image.shape != wanted:
      raise ValueError(f'an image is {image.shape}, not {wanted}')
    return image

  def _fault(self, rows: Sequence[int], error: Exception) -> str:
    """Names the file of the first row that can't be read."""
    for row in rows:
      try:
        self._checked(self._examples[row])
      except Exception as of_row:  # as above
        ends = np.cumsum(self._split.shard_lengths)
        shard = int(np.searchsorted(ends, row, side='right'))
        file = self._directory / sorted(self._split.filenames)[shard]
        return _damaged(file, of_row)
    return _damaged(self._directory, error)


def describe(directory: epath.Path) -> Any:
  """What TFDS knows of a dataset's folder.

  Raises:
    UserError: its description is damaged, or a file is missing or of another
      size than it had.
  """
  checksums.check_quickly(directory)
  try:
    info = tfds.builder_from_directory(directory).info
    info.features.keys()
  except Exception as error:  # a damaged file fails in many ways
    raise UserError(_damaged(directory / tfds_folders.INFO, error)) from None
  tfds_source.require_lookup(directory, info)
  return info


def _split_of(directory: epath.Path, split: str, info: Any) -> Any:
  """A split, whose files are all there."""
  name = _own_name(split, info)
  if name is None:
    raise UserError(
      f'{directory} has no {split} images, only {", ".join(info.splits)}: '
      'prepare it again with --test_images COUNT --overwrite'
    )
  require_files(directory, info, [name])
  return info.splits[name]


def require_files(
  directory: epath.Path, info: Any, splits: Iterable[str]
) -> None:
  """Raises UserError, which names the file, unless all of splits are there."""
  for split in splits:
    for file in sorted(info.splits[split].filenames):
      if not (directory / file).exists():
        raise UserError(f'{directory / file} is missing: {checksums.GET_BACK}')


def _own_name(split: str, info: Any) -> str | None:
  """What a dataset calls a split: many have validation images for testing."""
  names = (split, 'validation') if split == 'test' else (split,)
  return next((name for name in names if name in info.splits), None)


def _damaged(path: epath.PathLike, error: Exception) -> str:
  why = printable(reason(error), 200)
  return f'{path} is damaged ({why}): {checksums.GET_BACK}'


def _pyramid_of(source: epath.PathLike) -> str:
  """The command that makes all resolutions of a dataset of TFDS."""
  return f'make a dataset of it with: alae prepare NAME --source {source}'


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
  directory = _directory(name, data_dir, resolution)
  dataset = PreparedDataset(directory, split)
  if dataset.resolution != resolution:
    raise UserError(
      f'{directory} holds images of {dataset.resolution}x{dataset.resolution}, '
      f'not {resolution}x{resolution}: {checksums.GET_BACK}'
    )
  return dataset


def has_split(
  name: str, data_dir: epath.PathLike, split: str, resolution: int
) -> bool:
  """Whether a dataset that is there has a split: small ones have no test.

  The arguments and errors are those of `open_dataset`.
  """
  if name == DIGITS:
    return split in SPLITS
  info = describe(_directory(name, data_dir, resolution))
  return _own_name(split, info) is not None


def available(name: str, data_dir: epath.PathLike) -> dict[int, epath.Path]:
  """Returns the resolutions a dataset is there at, and their folders.

  Only whole datasets count. Of several versions the newest does.
  """
  root = storage.locate(data_dir) / name
  if not root.is_dir():
    return {}
  found = {}
  for config in root.iterdir():
    if config.name.isdecimal() and (whole := tfds_folders.versions(config)):
      found[int(config.name)] = whole[0]
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
  if resolution in found:
    return found[resolution]
  of_tfds = None if found else tfds_folders.look(name, data_dir)
  if of_tfds is None:
    raise Missing(_missing(name, data_dir, resolution, sorted(found)))
  info = describe(of_tfds)
  image, _ = tfds_source.feature_names(of_tfds, info)
  height, width, _ = info.features[image].shape
  if (height, width) != (resolution, resolution):
    size = f'{height}x{width}' if height else 'of many sizes'
    raise Missing(
      f"dataset '{name}' of TFDS is {size}, not {resolution}x{resolution}: "
      + _pyramid_of(of_tfds)
      + f' --data_dir {data_dir}'
    )
  return of_tfds


def _open_digits(split: str, resolution: int) -> ArrayDataset:
  if resolution != 8:
    raise UserError(
      f"dataset '{DIGITS}' is 8x8, not {resolution}x{resolution}; "
      'set the resolution to 8'
    )
  image, label = digits.load_digits(split)
  return ArrayDataset(DIGITS, image, label, num_classes=10)


def _missing(
  name: str, data_dir: epath.PathLike, resolution: int, found: list[int]
) -> str:
  """Says what is not there, what is, and the command that makes it."""
  there = ', '.join(f'{r}x{r}' for r in found)
  instead = f' (there: {there})' if found else ''
  return (
    f"no dataset '{name}' at {resolution}x{resolution} in {data_dir}{instead}; "
    + _remedy(name, data_dir, resolution, found)
  )


def _remedy(
  name: str, data_dir: epath.PathLike, resolution: int, found: list[int]
) -> str:
  """Says which command makes a dataset."""
  known = DATASETS.get(name)
  if known and known.native:
    padded = known.resolutions[-1]
    if resolution == known.native:
      options = ''
    elif resolution in levels.pyramid(padded):
      options = f' --resolution {padded}'
    else:
      return (
        f'{name} is {known.native}x{known.native}, or padded to '
        f'{padded}x{padded}, and halved down to 4x4'
      )
  else:
    # The full one: what is missing below it is made with it.
    full = max(resolution, *found) if found else resolution
    source = name.upper() if known else 'FOLDER'
    options = f' --source {source} --resolution {full}'
    options += ' --overwrite' if found and full == resolution else ''
  return f'make it with: alae prepare {name}{options} --data_dir {data_dir}'
