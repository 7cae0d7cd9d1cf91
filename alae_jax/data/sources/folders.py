"""Folders of image files, however deep."""

import collections
import dataclasses
import os
import stat
from collections.abc import Iterator

from etils import epath

from alae_jax import storage
from alae_jax.data import decoding
from alae_jax.data.sources import base
from alae_jax.errors import UserError, reason

TITLE = 'a folder of images'
_FIRST_BYTES = 64  # enough to tell an image by
_HEAD_BYTES = 1 << 18  # and its size, unless a camera wrote much before it


@dataclasses.dataclass(frozen=True)
class FileReader(base.Reader):
  """Reads image files; a place is a path and the size it was listed with."""

  def read(self, place: tuple[str, int]) -> bytes:
    """Returns the file's bytes."""
    path, size = place
    if size > base.MOST_BYTES:
      raise base.BadImage(f'it has {size:,} bytes')
    try:
      content = epath.Path(path).read_bytes()
    except OSError as error:
      raise base.BadImage(error.strerror or reason(error)) from None
    if len(content) != size:
      raise base.BadImage('it has changed since the folder was listed')
    return content

  def head(self, place: tuple[str, int]) -> bytes:
    """Returns the file's first bytes."""
    try:
      with epath.Path(place[0]).open('rb') as file:
        return file.read(_HEAD_BYTES)
    except OSError as error:
      raise base.BadImage(error.strerror or reason(error)) from None


def holds(path: epath.Path) -> bool:
  """Whether there is an image in the folder."""
  return path.is_dir() and any(_is_image(file) for file, _ in _walk(path))


def open_source(path: epath.Path) -> base.Source:
  """Lists the image files under a folder, sorted by their path in it.

  Raises:
    UserError: the folder is missing, or holds no image.
  """
  files, left_out = _list(path)
  if not files:
    what = base.tell_left_out(left_out)
    there = f', only {what}' if what else ''
    raise UserError(f'source {path} holds no images{there}')
  sizes = [_size(file) for file in files]
  return base.Source(
    path=path,
    reader=FileReader(),
    names=[file.relative_to(path).as_posix() for file in files],
    places=[(os.fspath(f), size) for f, size in zip(files, sizes, strict=True)],
    sizes=sizes,
    left_out=left_out,
    stamp=base.stamp_of(files),
  )


def _size(file: epath.Path) -> int:
  try:
    return file.stat().length
  except OSError:  # a link to nowhere: reading it will say so
    return 0


def list_images(folder: epath.PathLike) -> list[epath.Path]:
  """Lists the image files under a folder, sorted by their path in it."""
  return _list(epath.Path(folder))[0]


def _list(folder: epath.Path) -> tuple[list[epath.Path], dict[str, int]]:
  """The images, each real file once, and how many other files of what kind."""
  left_out: collections.Counter[str] = collections.Counter()
  found = []
  for path, is_linked in _walk(folder):
    if _is_special(path):
      left_out['pipe or device'] += 1
    elif _is_image(path):
      found.append((is_linked, path.relative_to(folder).as_posix(), path))
    else:
      left_out[path.suffix.lower() or 'without suffix'] += 1
  images_once: dict[object, tuple[str, epath.Path]] = {}
  for _, name, path in sorted(found):  # a file itself goes before links to it
    if images_once.setdefault(_identity(path), (name, path))[0] != name:
      left_out['named twice'] += 1
  return [path for _, path in sorted(images_once.values())], dict(left_out)


def _walk(folder: epath.Path) -> Iterator[tuple[epath.Path, bool]]:
  """The files under a folder, but for hidden ones, and which links lead to.

  A folder that several links lead to, or that leads to itself, is walked once.
  """
  waiting = [(folder, False)]
  seen = set()
  while waiting:
    links = []
    while waiting:  # what is there without links goes first
      above, is_linked = waiting.pop()
      if (identity := _identity(above)) in seen:
        continue
      seen.add(identity)
      for path in above.iterdir():
        if path.name.startswith('.'):
          continue
        linked = is_linked or _is_link(path)
        if not path.is_dir():
          yield path, linked
        elif linked:
          links.append((path, True))
        else:
          waiting.append((path, False))
    waiting = sorted(links, reverse=True)


def _is_image(path: epath.Path) -> bool:
  """By its suffix, or without one by its first bytes."""
  if path.suffix:
    return path.suffix.lower() in decoding.EXTENSIONS
  if not path.is_file():
    return False
  with path.open('rb') as file:
    return decoding.looks_like_image(file.read(_FIRST_BYTES))


def _is_special(path: epath.Path) -> bool:
  """Whether reading it might wait for ever, or never end."""
  if storage.is_remote(path):
    return False
  try:
    mode = os.stat(path).st_mode
  except OSError:  # a link to nowhere: reading it will say so
    return False
  return not stat.S_ISREG(mode)


def _is_link(path: epath.Path) -> bool:
  return not storage.is_remote(path) and os.path.islink(path)


def _identity(path: epath.Path) -> object:
  """The same for all names of a file or folder on a disk."""
  if storage.is_remote(path):
    return os.fspath(path)
  try:
    status = os.stat(path)
  except OSError:  # a link to nowhere
    return os.fspath(path)
  return status.st_dev, status.st_ino
