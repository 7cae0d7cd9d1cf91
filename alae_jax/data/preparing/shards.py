"""Making a dataset's files: in pieces, in parallel, and once.

The images of a split are cut into shards, at the same places for every level,
and a shard into pieces. A piece is a few images, decoded once and encoded at
every level; it is what a worker makes at a time, and what a kill loses. When
all pieces of a shard are there, they become one ArrayRecord file a level.
Everything that is made takes its name when it is whole, and its content follows
from the source alone: who goes on after a kill makes the same bytes.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from etils import epath

from alae_jax import storage
from alae_jax.data import images
from alae_jax.data.preparing.array_records import Writer
from alae_jax.data.preparing.treatment import Treatment
from alae_jax.data.sources import base

# Of a photograph's pixels, PNG leaves about this share.
_PNG_SHARE = 0.6
_SHARD_BYTES = 1 << 30
_MOST_IN_SHARD = 1 << 16
# A piece takes some tenths of a second.
_PIECE_PIXELS = 8 * 256**2
_MOST_IN_PIECE = 256


@dataclasses.dataclass(frozen=True)
class Recipe:
  """All that a worker must know.

  Attributes:
    reader: of the source.
    treatment: makes the full resolution.
    levels: the resolutions to make.
    folder: holds pieces/ and shards/.
  """

  reader: base.Reader
  treatment: Treatment
  levels: tuple[int, ...]
  folder: epath.Path


@dataclasses.dataclass(frozen=True)
class Shard:
  """Consecutive images of one split.

  Attributes:
    split: its name.
    number: of the shard in the split.
    start: the first image, counted in the split.
    stop: after the last one.
  """

  split: str
  number: int
  start: int
  stop: int

  @property
  def name(self) -> str:
    """Such as train-00003."""
    return f'{self.split}-{self.number:05d}'

  def pieces(self, size: int) -> list['Piece']:
    """The shard cut into pieces of `size` images."""
    starts = range(self.start, self.stop, size)
    return [
      Piece(self, start, min(start + size, self.stop)) for start in starts
    ]


@dataclasses.dataclass(frozen=True)
class Piece:
  """Consecutive images of a shard, counted in its split."""

  shard: Shard
  start: int
  stop: int

  @property
  def name(self) -> str:
    """Such as train-00003.000000024-000000032."""
    return f'{self.shard.name}.{self.start:09d}-{self.stop:09d}'


@dataclasses.dataclass(frozen=True)
class Task:
  """What a worker is given: a piece and its images' names and places."""

  piece: Piece
  names: Sequence[str]
  places: Sequence[Any]
  labels: Sequence[int] | None


def cut(split: str, size: int, resolution: int, channels: int) -> list[Shard]:
  """The shards of a split of `size` images; a gigabyte or less each."""
  of_one = resolution**2 * channels * _PNG_SHARE
  fitting = 1 << (int(_SHARD_BYTES / of_one).bit_length() - 1)
  length = max(1, min(fitting, _MOST_IN_SHARD))
  return [
    Shard(split, number, start, min(start + length, size))
    for number, start in enumerate(range(0, size, length))
  ]


def piece_size(resolution: int) -> int:
  """How many images a piece has."""
  return max(1, min(_PIECE_PIXELS // resolution**2 or 1, _MOST_IN_PIECE))


def make_piece(recipe: Recipe, task: Task) -> list[tuple[str, str]]:
  """Writes a piece, unless it is there.

  Returns:
    The names of its bad images, and what is wrong with them.

  Raises:
    OSError: it can't be written.
  """
  path = piece_path(recipe, task.piece)
  if path.exists():
    header, _ = _read_piece(path)
    return header['bad']
  good, bad, deepest, blob = [], [], 0, bytearray()
  for i, (name, place) in enumerate(zip(task.names, task.places, strict=True)):
    try:
      square, deep = recipe.treatment.apply(recipe.reader.read(place))
    except base.BadImage as error:
      bad.append((name, str(error)))
      continue
    deepest = max(deepest, deep)
    pyramid = images.pyramid(square, recipe.levels)
    encoded = [images.encode_png(pyramid[level]) for level in recipe.levels]
    blob += b''.join(encoded)
    good.append({
      'label': task.labels[i] if task.labels else None,
      'sha256': hashlib.sha256(square.tobytes()).hexdigest(),
      'bytes': [len(png) for png in encoded],
    })  # fmt: skip
  header = {'images': good, 'bad': bad, 'deepest': deepest}
  content = json.dumps(header).encode() + b'\n' + blob
  storage.write_whole(path, content)
  return bad


def finish_shard(recipe: Recipe, shard: Shard, pieces: Sequence[Piece]) -> None:
  """Makes a file a level of a shard's pieces, and removes them.

  Raises:
    OSError: they can't be written.
  """
  writers = {
    level: Writer(shard_path(recipe, shard, level)) for level in recipe.levels
  }
  try:
    report = _write_shard(recipe, pieces, writers)
  except BaseException:
    for writer in writers.values():
      writer.discard()
    raise
  storage.write_whole(report_path(recipe, shard), json.dumps(report).encode())
  for piece in pieces:
    piece_path(recipe, piece).unlink(missing_ok=True)


def _write_shard(
  recipe: Recipe, pieces: Sequence[Piece], writers: dict[int, Writer]
) -> dict[str, Any]:
  """Fills and closes the files of a shard; returns its report."""
  digest = hashlib.sha256()
  report: dict[str, Any] = {'images': 0, 'bad': [], 'deepest': 0, 'levels': {}}
  payload = dict.fromkeys(writers, 0)
  for piece in pieces:
    header, blob = _read_piece(piece_path(recipe, piece))
    report['bad'] += header['bad']
    report['deepest'] = max(report['deepest'], header['deepest'])
    report['images'] += len(header['images'])
    for image, pngs in zip(
      header['images'], _cut_up(header, blob), strict=True
    ):
      digest.update(f'{image["sha256"]} {image["label"]}\n'.encode())
      for level, png in zip(recipe.levels, pngs, strict=True):
        payload[level] += writers[level].add(png, image['label'])
  for level, writer in writers.items():
    size, sha256 = writer.close()
    report['levels'][level] = {
      'bytes': size, 'sha256': sha256, 'payload': payload[level],
    }  # fmt: skip
  return report | {'sha256': digest.hexdigest()}


def piece_path(recipe: Recipe, piece: Piece) -> epath.Path:
  """Where a piece is until its shard is made."""
  return recipe.folder / 'pieces' / piece.name


def shard_path(recipe: Recipe, shard: Shard, level: int) -> epath.Path:
  """Where a shard's file of one level is until the dataset is whole."""
  return recipe.folder / 'shards' / f'{shard.name}.{level}'


def report_path(recipe: Recipe, shard: Shard) -> epath.Path:
  """What is known of a shard that is made."""
  return recipe.folder / 'shards' / f'{shard.name}.json'


def read_report(recipe: Recipe, shard: Shard) -> dict[str, Any]:
  """What is known of a shard that is made."""
  return json.loads(report_path(recipe, shard).read_text())


def _read_piece(path: epath.Path) -> tuple[dict, memoryview]:
  content = path.read_bytes()
  end = content.index(b'\n')
  return json.loads(content[:end]), memoryview(content)[end + 1 :]


def _cut_up(header: dict, blob: memoryview) -> Iterator[list[bytes]]:
  """The PNGs of each image, one a level."""
  at = 0
  for image in header['images']:
    ends = np.cumsum(image['bytes']) + at
    starts = [at, *ends[:-1]]
    yield [bytes(blob[a:b]) for a, b in zip(starts, ends, strict=True)]
    at = ends[-1]
