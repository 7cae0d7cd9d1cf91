"""Zip files of images, read in place.

FFHQ's and CelebA's, those that StyleGAN's tools write (with dataset.json), and
any other.
"""

import collections
import functools
import json
import struct
import threading
import zipfile
import zlib

from etils import epath

from alae_jax import storage
from alae_jax.data.sources import base, members
from alae_jax.errors import UserError, printable

TITLE = 'a zip file of images'
_MARKS = (b'PK\x03\x04', b'PK\x05\x06')
_LABELS = 'dataset.json'  # as StyleGAN's tools call it
# zipfile unpacks these piece by piece; of bzip2 and LZMA some hundred bytes may
# become gigabytes at once, whatever the member claims.
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ERRORS = (
  zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError,
  IndexError, NotImplementedError, RuntimeError,
)  # fmt: skip
_OTHER_FORMS = {
  '.mdb': 'an LMDB',
  '.tfrecords': 'TFRecords',
  '.tfrecord': 'TFRecords',
  '.parquet': 'Parquet',
  '.npy': 'arrays',
  '.npz': 'arrays',
  '.tar': 'tar files',
}
# What a process has open. A ZipFile can't be shared by threads without a lock,
# which it brings, but its list is worth reading once only.
_OPENING = threading.Lock()


class ZipReader(base.Reader):
  """Reads members; a place is a member's number."""

  def __init__(self, path: epath.PathLike, stamp: str):
    """Names the file, and when it was written; opens nothing yet."""
    self._path, self._stamp = str(path), stamp

  def read(self, place: int) -> bytes:
    """Returns the member's bytes."""
    with _OPENING:
      archive, infos = _open(self._path, self._stamp)
    return _content(archive, infos[place])


def holds(path: epath.Path) -> bool:
  """Whether it is a zip file."""
  if not path.is_file() or storage.is_remote(path):
    return False
  with open(path, 'rb') as file:
    return file.read(4) in _MARKS and path.suffix.lower() != '.npz'


def open_source(path: epath.Path) -> base.Source:
  """Lists the images in a zip file, sorted by name.

  Raises:
    UserError: it is damaged, has names that lead out of it or are there twice,
      or holds no image.
  """
  storage.require_file(path)
  stamp = base.stamp_of([path])
  archive, infos = _list(path)
  left_out: collections.Counter[str] = collections.Counter()
  found = {}
  for number, info in enumerate(infos):
    if info.is_dir():
      continue
    kind = members.why_not_taken(info.filename)
    if kind is None:
      found[number] = info
    elif info.filename != _LABELS:
      left_out[kind] += 1
  members.check_names(path, [info.filename for info in found.values()])
  if not found:
    raise UserError(_nothing_in(path, left_out))
  order = sorted(found, key=lambda number: found[number].filename)
  names = [found[number].filename for number in order]
  return base.Source(
    path=path,
    reader=ZipReader(path, stamp),
    names=names,
    places=order,
    # With the checksum of the content, whatever its length.
    sizes=[found[n].file_size << 32 | found[n].CRC for n in order],
    labels=_labels(path, archive, names),
    left_out=left_out,
    stamp=stamp,
  )


@functools.lru_cache(maxsize=4)
def _open(
  path: str, stamp: str
) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
  """A file as it was written at one time."""
  return _list(epath.Path(path))


def _list(
  path: epath.Path,
) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
  try:
    archive = zipfile.ZipFile(path)
    return archive, archive.infolist()
  except (FileNotFoundError, PermissionError):
    raise
  except _ERRORS as error:
    raise UserError(
      f'{path} is a damaged zip file ({printable(str(error), 100)}); get the '
      'file again'
    ) from None


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
  if info.file_size > base.MOST_BYTES:
    raise base.BadImage(f'it claims {info.file_size:,} bytes')
  if info.compress_type not in _PACKINGS:
    raise base.BadImage('it is packed otherwise than by deflate')
  try:
    with archive.open(info) as file:
      content = file.read(info.file_size)
      if file.read(1):
        raise base.BadImage('it is longer than it claims')
  except _ERRORS as error:
    why = str(error) or type(error).__name__
    raise base.BadImage(printable(why, 200)) from None
  if len(content) != info.file_size:
    raise base.BadImage('it is cut short')
  return content


def _nothing_in(path: epath.Path, left_out: dict[str, int]) -> str:
  for suffix, form in _OTHER_FORMS.items():
    if suffix in left_out:
      return f'{path} holds {form}: unzip it, and name what comes of it'
  there = base.tell_left_out(left_out)
  return f'{path} holds no images' + (f', only {there}' if there else '')


def _labels(
  path: epath.Path, archive: zipfile.ZipFile, names: list[str]
) -> base.Labels | None:
  """The whole numbers of dataset.json, if it has one for every image."""
  try:
    info = archive.getinfo(_LABELS)
  except KeyError:
    return None
  try:
    text = _content(archive, info)
    given = json.loads(text).get('labels') or []
    by_name = {name.replace('\\', '/'): label for name, label in given}
  except (
    base.BadImage, ValueError, TypeError, AttributeError, RecursionError,
  ) as error:  # fmt: skip
    raise UserError(
      f'{path}: its {_LABELS} cannot be read ({printable(str(error), 100)})'
    ) from None
  if not by_name:
    return None
  found = [by_name.get(name) for name in names]
  labels = [label for label in found if type(label) is int and label >= 0]
  if len(labels) < len(names):
    return None  # vectors of attributes, or of some images only
  return base.Labels.numbered(path, labels)
