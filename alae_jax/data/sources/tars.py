"""Tar files of images, read in place: TFDS's, and WebDataset's shards."""

import collections
import os
import tarfile

import numpy as np
from etils import epath

from alae_jax import progress, storage
from alae_jax.data.sources import base, members
from alae_jax.errors import UserError, printable

TITLE = 'tar files of images'
_CLASS = '.cls'  # WebDataset's suffix of a class
_PACKED = {
  b'\x1f\x8b': 'gunzip', b'BZ': 'bunzip2', b'\xfd7': 'unxz',
  b'\x28\xb5': 'unzstd',
}  # fmt: skip

Place = tuple[str, int, int]


class TarReader(base.Reader):
  """Reads members; a place is a file, an offset in it and a length."""

  def read(self, place: Place) -> bytes:
    """Returns the member's bytes."""
    return base.read_span(*place)


def holds(path: epath.Path) -> bool:
  """Whether it is a tar file, packed or not, or a folder with one."""
  if storage.is_remote(path):
    return False
  if path.is_dir():
    return bool(_tar_files(path))
  return path.is_file() and (_is_tar(path) or '.tar' in path.suffixes)


def open_source(path: epath.Path) -> base.Source:
  """Lists the images in a tar file, or in all of a folder, in their order.

  Raises:
    UserError: one is damaged or packed, has names that lead out of it or are
      there twice, or there is no image.
  """
  files = _tar_files(path) if path.is_dir() else [path]
  left_out: collections.Counter[str] = collections.Counter()
  names: list[str] = []
  places: list[Place] = []
  classes: dict[str, int] = {}
  for file in files:
    prefix = f'{file.name}/' if len(files) > 1 else ''
    for member in _members(file):
      name = prefix + member.name.removeprefix('./')
      if not member.isfile() or member.issparse():
        left_out['link or device'] += not member.isdir()
      elif name.endswith(_CLASS):
        classes[name.removesuffix(_CLASS)] = _read_class(file, member)
      elif kind := members.why_not_taken(name):
        left_out[kind] += 1
      else:
        names.append(name)
        places.append((os.fspath(file), member.offset_data, member.size))
  members.check_names(path, names)
  if not names:
    there = base.tell_left_out(left_out)
    raise UserError(
      f'{path} holds no images' + (f', only {there}' if there else '')
    )
  return base.Source(
    path=path,
    reader=TarReader(),
    names=names,
    places=places,
    sizes=[size for _, _, size in places],
    labels=_labels(names, classes),
    left_out=left_out,
    stamp=base.stamp_of(files),
  )


def _tar_files(folder: epath.Path) -> list[epath.Path]:
  return sorted(p for p in folder.iterdir() if p.name.endswith('.tar'))


def _is_tar(path: epath.Path) -> bool:
  with open(path, 'rb') as file:
    return file.read(262)[257:] == b'ustar'


def _members(path: epath.Path) -> list[tarfile.TarInfo]:
  storage.require_file(path)
  with open(path, 'rb') as file:
    unpack = _PACKED.get(file.read(2))
  if unpack:
    raise UserError(
      f'{path} is packed and cannot be read in place: {unpack} it first'
    )
  found = []
  try:
    with tarfile.open(path, 'r:') as archive:
      for member in progress.over(archive, f'listing {path.name}'):
        found.append(member)
  except (tarfile.TarError, EOFError, OSError, ValueError) as error:
    raise UserError(_damaged(path, str(error))) from None
  end = max((m.offset_data + m.size for m in found if m.isfile()), default=0)
  if end > path.stat().length:
    raise UserError(
      _damaged(path, f'{end:,} bytes are wanted, {path.stat().length:,} there')
    )
  return found


def _damaged(path: epath.Path, why: str) -> str:
  return f'{path} is a damaged tar file ({printable(why, 100)}); get it again'


def _read_class(path: epath.Path, member: tarfile.TarInfo) -> int:
  text = base.read_span(os.fspath(path), member.offset_data, member.size)
  if not text.strip().isdigit():
    raise UserError(f'{path}: {member.name} is not the number of a class')
  return int(text)


def _labels(names: list[str], classes: dict[str, int]) -> base.Labels | None:
  """The class beside each image, if every one has one."""
  found = [classes.get(name.rpartition('.')[0], -1) for name in names]
  if min(found) < 0:
    return None
  count = max(found) + 1
  return base.Labels([str(i) for i in range(count)], np.array(found, np.int64))
