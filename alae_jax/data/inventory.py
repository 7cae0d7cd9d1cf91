"""What datasets are in a folder: ours, and those that TFDS has prepared."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from alae_jax import storage
from alae_jax.data import checksums, prepared, tfds_folders
from alae_jax.data.preparing import levels
from alae_jax.data.sources import tfds_source
from alae_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Level:
  """One dataset of TFDS: a level of one of ours, or another.

  Attributes:
    directory: its folder.
    shape: of the images; None where they are of many.
    counts: images of each split.
    bytes: on the disk.
    classes: the classes' names.
    fingerprint: of the pixels; '' for one not ours.
    fault: what is wrong, if anything is; the rest is empty then.
  """

  directory: epath.Path
  shape: tuple[int | None, ...] = ()
  counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
  bytes: int = 0
  classes: Sequence[str] = ()
  fingerprint: str = ''
  fault: str = ''

  @property
  def side(self) -> int:
    """Of the images, where they are squares of one size; else 0."""
    height, width = self.shape[:2] if self.shape else (None, None)
    return height if height and height == width else 0


def find(data_dir: epath.PathLike) -> dict[str, list[Level]]:
  """All datasets of a folder by name, their largest images first.

  Raises:
    UserError: there is no such folder.
  """
  root = storage.locate(data_dir)
  if not root.is_dir():
    what = 'is a file: name a folder' if root.exists() else 'no such folder'
    raise UserError(f'data_dir {data_dir}: {what}')
  found: dict[str, list[Level]] = {}
  for folder in sorted(root.iterdir()):
    if folder.is_dir() and not folder.name.endswith('.unfinished'):
      of_name = [describe(directory) for directory in _directories(folder)]
      if of_name:
        of_name.sort(key=lambda level: (-level.side, str(level.directory)))
        found[folder.name] = of_name
  return found


def describe(directory: epath.Path) -> Level:
  """What is known of a dataset, or what is wrong with it."""
  try:
    info = prepared.describe(directory)
    prepared.require_files(directory, info, info.splits)
    image, label = tfds_source.feature_names(directory, info)
    metadata = levels.read_metadata(directory)
    return Level(
      directory,
      info.features[image].shape,
      {name: split.num_examples for name, split in info.splits.items()},
      sum(path.stat().length for path in directory.iterdir()),
      info.features[label].names if label else (),
      metadata.get('fingerprint', ''),
    )
  except UserError as error:
    return Level(directory, fault=str(error))


def check(level: Level) -> list[str]:
  """Reads a level's files whole; a line for each that isn't what it was."""
  try:
    # Of several faults, the one that was found at first is among them.
    faults = list(checksums.check_all(level.directory))
  except UserError as error:
    return [str(error)]
  return faults or [level.fault] if level.fault else faults


def examples(level: Level, most: int) -> dict[str, np.ndarray]:
  """The first images of each split.

  Returns:
    uint8 [n, S, S, C], n at most `most`, of each split.

  Raises:
    UserError: they can't be read.
  """
  found = {}
  for split in level.counts:
    dataset: Any = prepared.PreparedDataset(level.directory, split)
    if len(dataset):
      found[split] = dataset.batch(range(min(most, len(dataset))))['image']
  return found


def _directories(folder: epath.Path) -> Iterator[epath.Path]:
  """The newest version of a dataset, or of each of its configs."""
  for place in (folder, *sorted(p for p in folder.iterdir() if p.is_dir())):
    yield from tfds_folders.versions(place)[:1]
