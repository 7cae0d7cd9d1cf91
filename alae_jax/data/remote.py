"""Datasets in remote folders, by way of this machine's disk.

ArrayRecord reads and writes local files alone.
"""

import concurrent.futures
import hashlib
import os
import uuid
from collections.abc import Iterable, Sequence

from etils import epath

from alae_jax import progress, storage
from alae_jax.data.tfds_folders import INFO

_AT_ONCE = 8  # files under way


def workplace(data_dir: epath.Path) -> epath.Path:
  """Where datasets for a folder are made: in it, or in this machine's cache."""
  if not storage.is_remote(data_dir):
    return data_dir
  return (
    storage.cache_folder() / 'preparing' / _digest(os.fspath(data_dir).encode())
  )


def local_copy(directory: epath.Path, records: Iterable[str]) -> epath.Path:
  """The folder of a dataset on this machine, with some of its record files.

  What was copied once is there for every run, until the dataset is replaced.

  Args:
    directory: of the dataset; returned as it is if it is local.
    records: names of files in it.
  """
  if not storage.is_remote(directory):
    return directory
  descriptions = {
    path.name: path.read_bytes()
    for path in sorted(directory.iterdir())
    if path.suffix in ('.json', '.txt')
  }
  # One of them holds the fingerprint of the images.
  content = os.fspath(directory).encode() + b''.join(descriptions.values())
  copy = storage.cache_folder() / 'datasets' / _digest(content)
  copy.mkdir(parents=True, exist_ok=True)
  missing = [
    name for name in (*descriptions, *records) if not (copy / name).exists()
  ]
  _copy(directory, copy, missing)
  return copy


def move(source: epath.Path, target: epath.Path) -> None:
  """Moves a dataset's folder; a kill never leaves half of one.

  Args:
    source: local.
    target: local or remote; it does not exist, or is not whole.
  """
  if not storage.is_remote(target):
    source.rename(target)
    return
  names = [path.name for path in source.iterdir() if path.name != INFO]
  _copy(source, target, names)
  _copy(source, target, [INFO])  # and only now it is a dataset
  source.rmtree()


def move_file(source: epath.Path, target: epath.Path) -> None:
  """Moves a file within a disk or a bucket; it appears when it is whole."""
  if not storage.is_remote(target):
    source.replace(target)
    return
  source.copy(target, overwrite=True)  # which the bucket does by itself
  source.unlink()


def _digest(content: bytes) -> str:
  return hashlib.sha256(content).hexdigest()[:16]


def _copy(source: epath.Path, target: epath.Path, names: Sequence[str]) -> None:
  """Copies files; each appears under its name when it is whole."""

  def copy(name: str) -> None:
    if storage.is_remote(target):
      (source / name).copy(target / name, overwrite=True)
      return
    # Others on this machine may copy the same file at the same time.
    partial = target / f'.{name}.{uuid.uuid4().hex}'
    (source / name).copy(partial, overwrite=True)
    partial.replace(target / name)

  with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
    copied = pool.map(copy, names)
    for _ in progress.over(copied, f'copying {source}', len(names), 'files'):
      pass
