"""Which files of a folder are images, and which of them are for testing."""

import hashlib
from collections.abc import Sequence

from etils import epath

from alae_jax import progress, storage
from alae_jax.data import images
from alae_jax.errors import UserError

_LATER = {
  '.zip': 'a zip file',
  '.mdb': 'an LMDB',
  '.tfrecords': 'TFRecords',
  '.tfrecord': 'TFRecords',
}


def find_images(source: epath.PathLike) -> list[epath.Path]:
  """Lists the image files under a folder, sorted by their path in it.

  Raises:
    UserError: the folder is missing, holds no image, or is another kind of
      data.
  """
  source = storage.locate(source)
  _refuse_other_kinds(source, [source])
  if not source.is_dir():
    what = 'a file: name a folder' if source.exists() else 'no such folder'
    raise UserError(f'source {source}: {what}')
  found = list_images(source)
  if not found:
    _refuse_other_kinds(source, list(_walk(source)))
    kinds = ', '.join(sorted(images.EXTENSIONS))
    raise UserError(f'source {source} holds no images ({kinds})')
  return found


def list_images(folder: epath.PathLike) -> list[epath.Path]:
  """Lists the image files under a folder, sorted by their path in it."""
  folder = epath.Path(folder)
  found = [f for f in _walk(folder) if f.suffix.lower() in images.EXTENSIONS]
  return sorted(found, key=lambda f: f.relative_to(folder).as_posix())


def largest_resolution(files: Sequence[epath.Path], limit: int) -> int:
  """Returns the largest power of two that no image is smaller than.

  It reads the headers only. At most `limit`; at least 4.

  Raises:
    UserError: a file is not an image, or smaller than 4x4.
  """
  side = limit
  for path in progress.over(files, 'measuring', unit='images'):
    smallest = min(images.read_size(path))
    if smallest < 4:
      raise UserError(f'{path} is smaller than 4x4; remove it')
    side = min(side, smallest)
  return 1 << (side.bit_length() - 1)


def split_files(
  source: epath.PathLike,
  files: Sequence[epath.Path],
  test_images: float | None,
) -> dict[str, list[epath.Path]]:
  """Sets test images apart, chosen by a hash of their path in the folder.

  The choice is the same on every machine; order within a split is sorted.

  Args:
    source: the folder.
    files: the images in it.
    test_images: how many (1 or more, or 0), or which part of all (between 0
      and 1); None: a tenth, at most 10,000.

  Returns:
    {'train': files, 'test': files}, without a split that is empty.

  Raises:
    UserError: no image would be left to train on.
  """
  count = _test_count(len(files), test_images)
  ranked = sorted(files, key=lambda f: _hash(_relative(source, f)))
  test = set(ranked[:count])
  splits = {
    'train': [f for f in files if f not in test],
    'test': [f for f in files if f in test],
  }
  return {split: chosen for split, chosen in splits.items() if chosen}


def fingerprint(
  source: epath.PathLike, files: Sequence[epath.Path], *settings: object
) -> str:
  """Returns a hash of the files' paths and sizes, and of the settings."""
  digest = hashlib.sha256(repr(settings).encode())
  for path in files:
    digest.update(f'{_relative(source, path)} {path.stat().length}\n'.encode())
  return digest.hexdigest()


def _walk(folder: epath.Path):
  """Yields the files under a folder, but for hidden ones."""
  for path in folder.iterdir():
    if path.name.startswith('.'):
      continue
    if path.is_dir():
      yield from _walk(path)
    else:
      yield path


def _refuse_other_kinds(source: epath.Path, files: Sequence[epath.Path]):
  for path in files:
    kind = _LATER.get(path.suffix.lower())
    if kind:
      raise UserError(
        f'source {source} is {kind}, which cannot be read yet; '
        'give a folder of images'
      )


def _test_count(total: int, test_images: float | None) -> int:
  """Returns how many of the images are for testing."""
  if test_images is None:
    return min(total // 10, 10_000)
  count = round(test_images * total if 0 < test_images < 1 else test_images)
  if not 0 <= count < total:
    raise UserError(
      f'test_images {test_images} of {total} images leaves none to train '
      'on; give a smaller count, or a part between 0 and 1'
    )
  return count


def _relative(source: epath.PathLike, path: epath.Path) -> str:
  return path.relative_to(epath.Path(source)).as_posix()


def _hash(text: str) -> bytes:
  return hashlib.sha256(text.encode()).digest()
