"""Datasets on a disk, by `alae prepare` or TFDS, and what may be wrong."""

import os
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from alae_jax import storage
from alae_jax.data import checksums, remote, tfds_folders
from alae_jax.data.dataset import Dataset, digest
from alae_jax.data.sources import tfds_source
from alae_jax.errors import UserError, printable, reason


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
        f'needed: {pyramid_of(self._directory)}'
      )
    self.name = info.name
    self._made_of = (info.metadata or {}).get('fingerprint', '')
    self.resolution, _, self.channels = shape
    self.num_classes = (
      info.features[self._label].num_classes if self._label else None
    )
    if self._label:
      self.class_names = info.features[self._label].names
    self._examples: Any = None
    self._opening = threading.Lock()  # many threads read

  @property
  def fingerprint(self) -> str:
    """Of what the dataset was made of; of its description, for TFDS's own."""
    made_of = self._made_of or (self._directory / tfds_folders.INFO).read_text()
    which = f'{self._split.name} {self.resolution} {self.channels}'
    return digest(made_of.encode(), which.encode())

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
  name = own_name(split, info)
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


def own_name(split: str, info: Any) -> str | None:
  """What a dataset calls a split: many have validation images for testing."""
  names = (split, 'validation') if split == 'test' else (split,)
  return next((name for name in names if name in info.splits), None)


def _damaged(path: epath.PathLike, error: Exception) -> str:
  why = printable(reason(error), 200)
  return f'{path} is damaged ({why}): {checksums.GET_BACK}'


def pyramid_of(source: epath.PathLike) -> str:
  """The command that makes all resolutions of a dataset of TFDS."""
  return f'make a dataset of it with: alae prepare NAME --source {source}'
