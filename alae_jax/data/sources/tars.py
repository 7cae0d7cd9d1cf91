"""Tar files of images, read in place: TFDS's, and WebDataset's shards."""

import collections
import os
import tarfile

from etils import epath

from alae_jax import progress, storage
from alae_jax.data.sources import base, members
from alae_jax.errors import UserError, printable

TITLE = 'tar files of images'
_CLASS = '.cls'  # WebDataset's suffix of a class
_MOST_DIGITS = 18
_SUFFIXES_OF_PACKED = ('.tgz', '.tbz', '.tbz2', '.txz', '.tzst')
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
  suffixes = [suffix.lower() for suffix in path.suffixes]
  return path.is_file() and (
    '.tar' in suffixes
    or path.suffix.lower() in _SUFFIXES_OF_PACKED
    or _is_tar(path)
  )


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
      other = members.why_not_taken(name)
      if member.isdir():
        continue
      if not member.isfile() or member.issparse():
        left_out['link or device'] += 1
      elif other == _CLASS:
        classes[name[: -len(_CLASS)]] = _read_class(file, member)
      elif other:
        left_out[other] += 1
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
    labels=_labels(path, names, classes),
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
        if member.size < 0:  # tarfile would go back, and round for ever
          raise tarfile.ReadError(f'{member.name} has {member.size} bytes')
        found.append(member)
      next_header = archive.offset
  except (tarfile.TarError, EOFError, OSError, ValueError) as error:
    raise UserError(_damaged(path, str(error))) from None
  end = max((m.offset_data + m.size for m in found if m.isfile()), default=0)
  if end > path.stat().length:
    raise UserError(
      _damaged(path, f'{end:,} bytes are wanted, {path.stat().length:,} there')
    )
  _check_end(path, next_header)
  return found


def _check_end(path: epath.Path, offset: int) -> None:
  """Refuses what ends other than tar files do, with a block of zeros.

  tarfile takes a damaged header, or a file cut before one, for the end.
  """
  with open(path, 'rb') as file:
    file.seek(offset)
    block = file.read(tarfile.BLOCKSIZE)
  if len(block) < tarfile.BLOCKSIZE:
    raise UserError(
      _damaged(path, f'it is cut short after {offset + len(block):,} bytes')
    )
  if any(block):
    raise UserError(_damaged(path, f'no header of a member at byte {offset:,}'))


def _damaged(path: epath.Path, why: str) -> str:
  return f'{path} is a damaged tar file ({printable(why, 100)}); get it again'


def _read_class(path: epath.Path, member: tarfile.TarInfo) -> int:
  text = b''
  if member.size <= _MOST_DIGITS + 2:  # and the end of the line
    text = base.read_span(os.fspath(path), member.offset_data, member.size)
  if not text.strip().isdigit():
    raise UserError(f'{path}: {member.name} is not the number of a class')
  return int(text)


def _labels(
  path: epath.Path, names: list[str], classes: dict[str, int]
) -> base.Labels | None:
  """The class beside each image, if every one has one."""
  found = [_class_of(name, classes) for name in names]
  return None if min(found) < 0 else base.Labels.numbered(path, found)


def _class_of(name: str, classes: dict[str, int]) -> int:
  """That of a.cls for a.png and, as in WebDataset, for a.rgb.png; or -1."""
  folder, slash, file = name.rpartition('/')
  by_first_dot = folder + slash + file.partition('.')[0]
  return classes.get(name.rpartition('.')[0], classes.get(by_first_dot, -1))
