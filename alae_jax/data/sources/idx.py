"""A strict reader of IDX, the file format of MNIST and Fashion-MNIST.

A file is big-endian: two zero bytes, a type byte (8: unsigned byte), the
number of dimensions, one uint32 per dimension, then the values. It may be
gzipped; the content says whether, not the name. Anything that does not
match to the byte is refused with the file's name and what is wrong.
"""

import dataclasses
import gzip
import hashlib
import io
import math
import zlib
from collections.abc import Mapping

import numpy as np
from etils import epath

from alae_jax import storage
from alae_jax.data.sources import base
from alae_jax.errors import UserError

TITLE = "MNIST's four IDX files"

_UNSIGNED_BYTE = 8
_GZIP_MAGIC = b'\x1f\x8b'
STEMS = {'train': 'train', 'test': 't10k'}


@dataclasses.dataclass(frozen=True)
class ArrayReader(base.Reader):
  """Gives images of arrays in memory, which travel with it; a place is a row.

  Attributes:
    arrays: uint8 [N, H, W, 1] of each split.
  """

  arrays: Mapping[str, np.ndarray]

  def read(self, place: tuple[str, int]) -> np.ndarray:
    """Returns uint8 [H, W, 1]."""
    split, row = place
    return self.arrays[split][row]


def holds(path: epath.Path) -> bool:
  """Whether an IDX file of training images is in the folder."""
  return path.is_dir() and _find_any(path, 'train-images', 'idx3') is not None


def open_source(path: epath.Path) -> base.Source:
  """Reads all of the four files of a folder.

  Raises:
    UserError: one is missing or damaged, or they don't belong together.
  """
  data = {s: read_split(files) for s, files in find_files(path).items()}
  names: list[str] = []
  sizes, places, labels, splits = [], [], [], {}
  for split, arrays in data.items():
    rows = range(len(arrays['label']))
    splits[split] = np.arange(len(names), len(names) + len(rows))
    names += [f'{split}/{row:05d}' for row in rows]
    places += [(split, row) for row in rows]
    # However they are packed: of images of one size only the content differs.
    sizes += [_number(image) for image in arrays['image']]
    labels.append(arrays['label'].astype(np.int64))
  of_images = np.concatenate(labels)
  classes = max(10, int(of_images.max(initial=0)) + 1)
  return base.Source(
    path=path,
    reader=ArrayReader({s: arrays['image'] for s, arrays in data.items()}),
    names=names,
    places=places,
    sizes=sizes,
    labels=base.Labels([str(c) for c in range(classes)], of_images),
    splits=splits,
  )


def _number(image: np.ndarray) -> int:
  return int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:8], 'big')


def read_idx(path: epath.PathLike, dimensions: int) -> np.ndarray:
  """Reads one file of unsigned bytes.

  Args:
    path: the file, gzipped or not.
    dimensions: how many dimensions it must have (3: images, 1: labels).

  Returns:
    uint8 array with that many dimensions.

  Raises:
    UserError: the file is missing, damaged, or not such a file.
  """
  data = _read_bytes(epath.Path(path))
  shape = _read_shape(path, data, dimensions)
  values = np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions)
  if values.size != math.prod(shape):
    wrong = 'is cut short' if values.size < math.prod(shape) else 'is too long'
    raise UserError(
      f'{path} {wrong}: its header says {math.prod(shape)} values of '
      f'shape {shape}, it holds {values.size}; get the file again'
    )
  return values.reshape(shape)


def read_split(paths: Mapping[str, epath.PathLike]) -> dict[str, np.ndarray]:
  """Reads the image file and the label file of one split.

  Args:
    paths: {'image': file, 'label': file}.

  Returns:
    {'image': uint8 [N, H, W, 1], 'label': uint8 [N]}.

  Raises:
    UserError: a file is damaged, or the two do not belong together.
  """
  images = read_idx(paths['image'], 3)
  labels = read_idx(paths['label'], 1)
  if len(images) != len(labels):
    raise UserError(
      f'{paths["image"]} holds {len(images)} images but {paths["label"]} '
      f'holds {len(labels)} labels; they do not belong together'
    )
  return {'image': images[..., None], 'label': labels}


def find_files(directory: epath.PathLike) -> dict[str, dict[str, epath.Path]]:
  """Finds the four files of MNIST, by either spelling, gzipped or not.

  Args:
    directory: the folder that holds them.

  Returns:
    {'train': {'image': path, 'label': path}, 'test': {…}}.

  Raises:
    UserError: the folder or one of the files is missing.
  """
  directory = storage.locate(directory)
  if not directory.is_dir():
    what = 'a file: name a folder' if directory.exists() else 'no such folder'
    raise UserError(f'source {directory}: {what}')
  return {
    split: {
      'image': _find(directory, f'{stem}-images', 'idx3-ubyte'),
      'label': _find(directory, f'{stem}-labels', 'idx1-ubyte'),
    }
    for split, stem in STEMS.items()
  }


def _find(directory: epath.Path, stem: str, ending: str) -> epath.Path:
  found = _find_any(directory, stem, ending.partition('-')[0])
  if found:
    return found
  raise UserError(
    f'source {directory} has no {stem}-{ending} (or .gz); it must hold '
    'the four IDX files'
  )


def _find_any(
  directory: epath.Path, stem: str, ending: str
) -> epath.Path | None:
  """The file by one of its spellings, if it is there."""
  for name in (f'{stem}-{ending}-ubyte', f'{stem}.{ending}-ubyte'):
    for path in (directory / name, directory / f'{name}.gz'):
      if path.exists():
        return path
  return None


def _read_bytes(path: epath.Path) -> bytes:
  """Returns the file's bytes, unzipped if they are gzipped."""
  storage.require_file(path)
  try:
    data = path.read_bytes()
    if not data.startswith(_GZIP_MAGIC):
      return data
    with gzip.open(io.BytesIO(data)) as file:
      unpacked = file.read(base.MOST_BYTES + 1)
    if len(unpacked) > base.MOST_BYTES:
      raise UserError(f'{path} holds more than {base.MOST_BYTES:,} bytes')
    return unpacked
  except FileNotFoundError:  # of a bucket
    raise UserError(f'{path}: no such file') from None
  except (gzip.BadGzipFile, EOFError, zlib.error) as error:
    raise UserError(
      f'{path} is a damaged gzip file ({error}); get the file again'
    ) from None


def _read_shape(
  path: epath.PathLike, data: bytes, dimensions: int
) -> tuple[int, ...]:
  """Returns the shape in the header, once its magic number is right."""
  magic = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
  if data[:4] != magic:
    raise UserError(
      f'{path} is not an IDX file of {dimensions} dimension(s): it starts '
      f'with 0x{data[:4].hex()}, not 0x{magic.hex()}'
    )
  if len(data) < 4 + 4 * dimensions:
    raise UserError(f'{path} is cut short in its header; get the file again')
  return tuple(np.frombuffer(data, '>u4', dimensions, offset=4).tolist())
