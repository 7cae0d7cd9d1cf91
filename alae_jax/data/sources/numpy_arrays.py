"""NumPy files of pixels: one array of all images, or a file for each."""

import collections
import contextlib
import dataclasses
import functools
import os
import threading
from collections.abc import Iterator, Mapping

import numpy as np
from etils import epath

from alae_jax import storage
from alae_jax.data.sources import base
from alae_jax.errors import UserError, printable, reason

TITLE = 'NumPy arrays (.npy, .npz) of pixels'
_SUFFIXES = ('.npy', '.npz')
_CHANNELS = (1, 3, 4)
# What people call them: images and labels, of everything or of a split.
_IMAGES = ('images', 'image', 'x', 'arr_0', 'data')
_LABELS = ('labels', 'label', 'y', 'arr_1')
_SPLITS = {
  'train': (('x_train', 'train_images'), ('y_train', 'train_labels')),
  'test': (('x_test', 'test_images'), ('y_test', 'test_labels')),
}
# Threads of a process read the same array.
_OPENING = threading.Lock()


@dataclasses.dataclass(frozen=True)
class ArrayReader(base.Reader):
  """Reads images; a place is a file, an array's name in it, and a row.

  The row is None in a file of one image; the name is '' in .npy.

  Attributes:
    stamp: tells when the files were written.
  """

  stamp: str

  def read(self, place: tuple[str, str, int | None]) -> np.ndarray:
    """Returns the image, uint8 or uint16 [H, W, C]."""
    path, name, row = place
    try:
      if row is None:
        return _only_image(_read(path, name))
      with _OPENING:
        array = _open(path, name, self.stamp)
      return _as_images(array)[row]
    except Exception as error:  # a damaged file fails in many ways
      raise base.BadImage(_why(error)) from None


def holds(path: epath.Path) -> bool:
  """Whether it is such a file, or a folder with one."""
  if storage.is_remote(path):
    return False
  if path.is_dir():
    return any(file.suffix.lower() in _SUFFIXES for file in path.iterdir())
  return path.suffix.lower() in _SUFFIXES


def open_source(path: epath.Path) -> base.Source:
  """Lists the images of a file, or of a folder's files, sorted by name.

  A folder of one file is that file; of several, each is an image.

  Raises:
    UserError: one is damaged, or holds no images.
  """
  if not path.is_dir():
    return _of_file(path)
  files = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES)
  if len(files) == 1:
    return _of_file(files[0])
  left_out = collections.Counter(
    p.suffix.lower() or 'without suffix' for p in path.iterdir()
    if p.suffix.lower() not in _SUFFIXES and not p.is_dir()
  )  # fmt: skip
  with _naming(files[0]):  # the others are judged when they are read
    _only_image(_read(os.fspath(files[0]), ''))
  stamp = base.stamp_of(files)
  return base.Source(
    path=path,
    reader=ArrayReader(stamp),
    names=[file.name for file in files],
    places=[(os.fspath(file), '', None) for file in files],
    sizes=[file.stat().length for file in files],
    left_out=left_out,
    stamp=stamp,
  )


def _of_file(path: epath.Path) -> base.Source:
  storage.require_file(path)
  arrays = _names_of(path)
  parts = _parts(path, arrays)
  names: list[str] = []
  places: list[tuple[str, str, int | None]] = []
  labels: list[np.ndarray] = []
  splits = {}
  for split, (images, classes) in parts.items():
    with _naming(path):
      count = len(_as_images(_read(os.fspath(path), images)))
    splits[split] = np.arange(len(names), len(names) + count)
    prefix = f'{split}/' if len(parts) > 1 else ''
    names += [f'{prefix}{row:08d}' for row in range(count)]
    places += [(os.fspath(path), images, row) for row in range(count)]
    of_split = _labels(path, classes, count) if classes else None
    if of_split is not None:
      labels.append(of_split)
  stamp = base.stamp_of([path])
  return base.Source(
    path=path,
    reader=ArrayReader(stamp),
    names=names,
    places=places,
    sizes=[path.stat().length] * len(names),
    labels=(
      base.Labels.numbered(path, np.concatenate(labels).tolist())
      if len(labels) == len(parts)
      else None
    ),
    splits=splits if len(parts) > 1 else None,
    stamp=stamp,
  )


def _names_of(path: epath.Path) -> list[str]:
  """The arrays in a file; [''] for .npy."""
  if path.suffix.lower() == '.npy':
    return ['']
  with _naming(path), np.load(path) as archive:
    return list(archive.files)


def _parts(
  path: epath.Path, arrays: list[str]
) -> Mapping[str, tuple[str, str | None]]:
  """The names of the images and labels of each split."""

  def first(choice: tuple[str, ...]) -> str | None:
    return next((name for name in choice if name in arrays), None)

  found = {
    split: (images, first(labels))
    for split, (of_images, labels) in _SPLITS.items()
    if (images := first(of_images))
  }
  if 'train' in found:
    return found
  images = first(_IMAGES) or (arrays[0] if len(arrays) == 1 else None)
  if images is None:
    raise UserError(
      f'{path} holds {", ".join(arrays[:9])}: call the array of images '
      "'images', and that of classes 'labels'"
    )
  return {'train': (images, first(_LABELS))}


@functools.lru_cache(maxsize=4)
def _open(path: str, name: str, stamp: str) -> np.ndarray:
  """An array: .npy in place; of .npz it is read, once a process."""
  return _read(path, name)


def _read(path: str, name: str) -> np.ndarray:
  storage.require_file(epath.Path(path))
  with open(path, 'rb') as file:
    mark = file.read(6)
  if mark == b'\x93NUMPY':
    return np.load(path, mmap_mode='r', allow_pickle=False)
  with np.load(path, allow_pickle=False) as archive:
    return archive[name or archive.files[0]]


@contextlib.contextmanager
def _naming(path: epath.Path) -> Iterator[None]:
  """Says of which file it is what is wrong, in whichever way it is damaged."""
  try:
    yield
  except UserError:
    raise
  except Exception as error:
    raise UserError(f'{path}: {_why(error)}') from None


class _NoImages(ValueError):
  """An array is whole, and can't be taken for images."""


def _why(error: Exception) -> str:
  if isinstance(error, _NoImages):
    return str(error)
  if 'allow_pickle' in str(error):
    return 'it holds Python objects: store it as numbers (uint8)'
  why = printable(reason(error), 100)
  return f'it is no whole NumPy file ({why}); get it again'


def _as_images(array: np.ndarray) -> np.ndarray:
  """[N, H, W, C], of that, of [N, C, H, W] or of [N, H, W].

  Where both could be, images are taken for squares.

  Raises:
    _NoImages: it is neither, or of other numbers than bytes.
  """
  if array.dtype not in (np.uint8, np.uint16):
    raise _NoImages(
      f'its numbers are {array.dtype}: store pixels as uint8, of 0 to 255'
    )
  if array.ndim == 3 and array.shape[2] not in _CHANNELS:
    return array[..., None]
  if array.ndim == 4:
    _, first, middle, last = array.shape
    if first in _CHANNELS and (last not in _CHANNELS or middle == last):
      return np.moveaxis(array, 1, 3)
    if last in _CHANNELS:
      return array
  raise _NoImages(
    f'an array of shape {array.shape} holds no images: make it N x H x W x C'
  )


def _only_image(array: np.ndarray) -> np.ndarray:
  """[H, W, C], of that, of [C, H, W] or [H, W], or of one such."""
  if array.ndim == 2:
    array = array[None, ..., None]
  elif array.ndim == 3 and not {array.shape[0], array.shape[2]}.isdisjoint(
    _CHANNELS
  ):
    array = array[None]
  images = _as_images(array)
  if len(images) != 1:
    raise _NoImages(f'an array of shape {array.shape} is no single image')
  return images[0]


def _labels(path: epath.Path, name: str, count: int) -> np.ndarray | None:
  """A class for each image; None: they are something else.

  Raises:
    UserError: they are not of these images.
  """
  with _naming(path):
    labels = _read(os.fspath(path), name)
  if labels.ndim == 0 or len(labels) != count:
    raise UserError(
      f'{path}: {name} of shape {labels.shape} are no classes of {count} images'
    )
  if labels.ndim == 2 and labels.shape[1] == 1:
    labels = labels[:, 0]
  if _is_one_hot(labels):
    labels = labels.argmax(1)
  if labels.ndim != 1 or labels.dtype.kind not in 'iu' or (labels < 0).any():
    return None
  return labels.astype(np.int64)


def _is_one_hot(labels: np.ndarray) -> bool:
  """Whether each row is one 1, which attributes are not."""
  return (
    labels.ndim == 2
    and bool(np.isin(labels, (0, 1)).all())
    and bool((labels.sum(1) == 1).all())
  )
