"""Raw images, in whatever files they came: what a dataset is made from.

A source is a list of the images, and a reader that gives any of them by its
place. The list may have millions of entries and stays in one process; readers
are small, travel to others, and open their files there when first asked.
"""

import abc
import contextlib
import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from alae_jax.errors import UserError, printable, reason

# An encoded image file, or pixels, uint8 or uint16 [H, W, C].
Raw = bytes | np.ndarray

# A single image file has no business being larger.
MOST_BYTES = 1 << 30
# Nor has anybody more classes: such numbers are no classes, or damaged ones.
MOST_CLASSES = 1 << 20


class BadImage(Exception):
  """One image can't be read; the message says why, without its name."""


class Reader(abc.ABC):
  """Reads single images; can be pickled, and opened in other processes."""

  @abc.abstractmethod
  def read(self, place: Any) -> Raw:
    """Returns the image at a place that the source lists.

    Raises:
      BadImage: it is damaged, or not what it was when it was listed.
      OSError: the system refuses.
    """

  def head(self, place: Any) -> Raw:
    """Returns the image, or enough of its beginning to tell its size by.

    Raises:
      BadImage: as `read` does.
    """
    return self.read(place)


@dataclasses.dataclass(frozen=True)
class Labels:
  """A class for every image.

  Attributes:
    names: of the classes, by number.
    of_images: int64 [N], from 0 to len(names) - 1.
  """

  names: Sequence[str]
  of_images: np.ndarray

  @classmethod
  def numbered(cls, path: epath.Path, of_images: Sequence[int]) -> 'Labels':
    """Labels whose classes have no names but their numbers.

    Args:
      path: where they are from.
      of_images: a whole number from 0 for every image.

    Raises:
      UserError: one is too large for the number of a class.
    """
    most = max(of_images, default=-1)
    if most >= MOST_CLASSES:
      raise UserError(
        f'{path} gives an image the class {printable(str(most), 40)}; use '
        f'numbers below {MOST_CLASSES:,}'
      )
    names = [str(number) for number in range(most + 1)]
    return cls(names, np.array(of_images, np.int64))


@dataclasses.dataclass(frozen=True)
class Source:
  """All images of a source, in a fixed order.

  Attributes:
    path: where it is.
    reader: reads single images.
    names: each image's name, its path in the source where it has one;
      '/' between folders, none twice.
    places: what the reader takes.
    sizes: each image's stored bytes, which tell a change.
    labels: None where the images have none.
    splits: where the source comes in splits, the indices of each; every image
      is in at most one.
    left_out: how many files were not taken, by kind ('.txt', 'hidden').
    stamp: another one whenever a file was written anew, be it to the same
      size; see stamp_of.
  """

  path: epath.Path
  reader: Reader
  names: Sequence[str]
  places: Sequence[Any]
  sizes: Sequence[int] | np.ndarray
  labels: Labels | None = None
  splits: Mapping[str, np.ndarray] | None = None
  left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
  stamp: str = ''

  def __len__(self) -> int:
    return len(self.names)

  def read(self, index: int) -> Raw:
    """Returns one image; see Reader.read."""
    return self.reader.read(self.places[index])

  def only(self, indices: np.ndarray) -> 'Source':
    """The source of these images alone, in one split and without labels."""
    return dataclasses.replace(
      self,
      names=[self.names[i] for i in indices],
      places=[self.places[i] for i in indices],
      sizes=[self.sizes[i] for i in indices],
      labels=None,
      splits=None,
    )

  @functools.cached_property
  def digest(self) -> str:
    """A hash of what is listed: names, sizes, labels and splits."""
    digest = hashlib.sha256()
    for name, size in zip(self.names, self.sizes, strict=True):
      digest.update(f'{name} {size}\n'.encode(errors='surrogateescape'))
    if self.labels:
      digest.update('\n'.join(self.labels.names).encode())
      digest.update(np.asarray(self.labels.of_images, '<i8').tobytes())
    for split, indices in (self.splits or {}).items():
      digest.update(split.encode() + np.asarray(indices, '<i8').tobytes())
    return digest.hexdigest()


def read_span(path: str, offset: int, size: int) -> bytes:
  """Reads a part of a file, that of one image.

  Raises:
    BadImage: it is too large, or not all there.
  """
  if size > MOST_BYTES:
    raise BadImage(f'it claims {size:,} bytes')
  try:
    with open(path, 'rb') as file:
      file.seek(offset)
      content = file.read(size)
  except OSError as error:
    raise BadImage(error.strerror or reason(error)) from None
  if len(content) != size:
    raise BadImage('it is cut short')
  return content


def stamp_of(files: Iterable[epath.PathLike]) -> str:
  """A hash of the times at which files were written; '' of remote ones."""
  digest = hashlib.sha256()
  for file in files:
    if '://' in os.fspath(file):
      return ''
    with contextlib.suppress(OSError):  # a link to nowhere
      digest.update(f'{os.stat(file).st_mtime_ns}\n'.encode())
  return digest.hexdigest()


def tell_left_out(left_out: Mapping[str, int]) -> str:
  """{'.txt': 2, 'hidden': 1} -> '2 .txt, 1 hidden'."""
  counts = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
  return ', '.join(f'{count:,} {kind}' for kind, count in counts)
