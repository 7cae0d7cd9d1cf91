"""Checksums beside what a checkpoint holds, as nothing else notices a bit flip.

They lie in the checkpoint's own folder, and so are deleted with it.
"""

import concurrent.futures
import hashlib
import json
import os

from etils import epath

from alae_jax import storage

NAME = 'alae_checksums.json'
_PIECE = 1 << 22  # bytes in memory at once, of each of a few files


class Mismatch(Exception):
  """A file is not as it was when the checksums were made, told in a line."""


def write(folder: epath.Path) -> None:
  """Writes the checksums of every file of a folder that will not change."""
  names = sorted(_names(folder))
  sums = dict(zip(names, _measure_all(folder, names), strict=True))
  text = json.dumps(sums, indent=0) + '\n'
  storage.write_whole(folder / NAME, text.encode())


def verify(folder: epath.Path) -> bool:
  """Compares every file of a folder with its checksum.

  Returns:
    Whether there are checksums.

  Raises:
    Mismatch: a file is missing or has changed.
    OSError: a file can't be read, which says nothing of what it holds.
  """
  path = folder / NAME
  if not path.exists():
    return False
  try:
    sums = json.loads(path.read_bytes())
    names, wanted = list(sums), list(sums.values())
  except (ValueError, TypeError, AttributeError):
    raise Mismatch(f'{NAME} is not as it was written') from None
  for name, measured, sum_ in zip(
    names, _measure_all(folder, names), wanted, strict=True
  ):
    if measured is None:
      raise Mismatch(f'{name} is missing')
    if measured != sum_:
      raise Mismatch(f'{name} is not as it was saved')
  return True


def _names(folder: epath.Path, below: str = '') -> list[str]:
  """Relative paths of the files of a folder and of those in it."""
  found = []
  for path in (folder / below).iterdir():
    name = f'{below}{path.name}'
    if path.is_dir():
      found += _names(folder, f'{name}/')
    elif path.name != NAME and not path.name.startswith('.'):
      found.append(name)
  return found


def _measure_all(
  folder: epath.Path, names: list[str]
) -> list[list[int | str] | None]:
  """Size and hash of each file; hashlib lets threads run side by side."""
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    return list(pool.map(lambda name: _measure(folder / name), names))


def _measure(path: epath.Path) -> list[int | str] | None:
  """[bytes, BLAKE2b in hexadecimal] of a file, None where there is none."""
  size, digest = 0, hashlib.blake2b(digest_size=32)
  try:
    with path.open('rb') as file:
      while piece := file.read(_PIECE):
        size += len(piece)
        digest.update(piece)
  except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
    return None
  return [size, digest.hexdigest()]
