"""What `alae prepare` is going to make, once its arguments are right."""

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from etils import epath

from alae_jax import progress
from alae_jax.data import decoding
from alae_jax.data.preparing import catalogue, classes, levels, splitting
from alae_jax.data.preparing.catalogue import Known
from alae_jax.data.preparing.shards import Piece, Shard, Task, cut
from alae_jax.data.preparing.treatment import Treatment
from alae_jax.data.preparing.wishes import Wishes
from alae_jax.data.sources import base, finding
from alae_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Plan:
  """What to make.

  Attributes:
    name: the dataset's name.
    source: the raw images.
    splits: the indices of each split that has any images.
    treatment: makes the full resolution of a raw image.
    labels: None: the dataset has none.
    notes: what the user should know of it.
  """

  name: str
  source: base.Source
  splits: Mapping[str, np.ndarray]
  treatment: Treatment
  labels: base.Labels | None
  notes: Sequence[str]

  @property
  def resolutions(self) -> tuple[int, ...]:
    """The resolutions, the full one first."""
    return levels.pyramid(self.treatment.resolution)

  def shards(self) -> list[Shard]:
    """The shards of all splits."""
    full, channels = self.treatment.resolution, self.treatment.channels
    return [
      shard
      for split, indices in self.splits.items()
      for shard in cut(split, len(indices), full, channels)
    ]

  def task(self, piece: Piece) -> Task:
    """What a worker needs to make a piece."""
    indices = self.splits[piece.shard.split][piece.start : piece.stop]
    return Task(
      piece,
      [self.source.names[i] for i in indices],
      [self.source.places[i] for i in indices],
      [int(self.labels.of_images[i]) for i in indices] if self.labels else None,
    )

  @functools.cached_property
  def fingerprint(self) -> str:
    """A hash of all that it is made from: images, splits and treatment."""
    digest = hashlib.sha256(self.source.digest.encode())
    digest.update(repr(self.treatment).encode())
    if self.labels:
      digest.update('\n'.join(self.labels.names).encode())
      digest.update(np.asarray(self.labels.of_images, '<i8').tobytes())
    for split, indices in self.splits.items():
      digest.update(split.encode() + np.asarray(indices, '<i8').tobytes())
    return digest.hexdigest()


def make_plan(
  name: str, source: epath.PathLike, data_dir: epath.PathLike, wishes: Wishes
) -> Plan:
  """Lists a source's images, and says what becomes of them.

  Args:
    name: of the dataset.
    source: where its images are.
    data_dir: where TFDS's datasets are, if the source is one.
    wishes: arguments that were checked.

  Raises:
    UserError: the source can't be used, or not in that way.
  """
  opened = finding.open_source(source, wishes.format, data_dir)
  known = catalogue.DATASETS.get(name)
  notes = []
  if opened.left_out:
    left_out = base.tell_left_out(opened.left_out)
    notes.append(f'not taken as images: {left_out}')
  taken = _taken(opened, known)
  if not taken.all():
    notes.append(f'masks or other images, {(~taken).sum():,}, are not taken')
  labels = classes.find_labels(opened, wishes.labels)
  splits, rule_notes = _split(name, opened, taken, known, wishes)
  treatment, size_notes = _treatment(name, opened, taken, known, wishes)
  return Plan(
    name, opened, splits, treatment, labels, [*notes, *rule_notes, *size_notes]
  )


def _taken(source: base.Source, known: Known | None) -> np.ndarray:
  """The images that belong to the dataset, by their names."""
  if known and known.takes:
    matches = np.array([bool(known.takes.search(n)) for n in source.names])
    if matches.any():
      return matches
  return np.ones(len(source), bool)


def _split(
  name: str,
  source: base.Source,
  taken: np.ndarray,
  known: Known | None,
  wishes: Wishes,
) -> tuple[dict[str, np.ndarray], list[str]]:
  """The indices of each split that has any, and what to say of them."""
  chosen = np.flatnonzero(taken)
  some = source if taken.all() else source.only(chosen)
  splits = splitting.own(some) if wishes.test_images is None else None
  first_test = known.first_test if known else None
  if wishes.test_images is None and first_test is not None:
    if splits is None or 'test' not in splits:
      splits = splitting.from_number(first_test, some.names)
  elif splits is None:
    splits = splitting.by_hash(some.names, wishes.test_images)
  notes = _compare(known, splits) if known and wishes.max_images is None else []
  train = splits['train'][: wishes.max_images]
  if not len(train):
    raise UserError(f"source {source.path} has no image to train '{name}' on")
  in_order = {**splits, 'train': train}
  return {s: chosen[i] for s, i in in_order.items() if len(i)}, notes


def _compare(known: Known, splits: splitting.Splits) -> list[str]:
  """What differs from the dataset as it was published."""
  found = {split: len(splits.get(split, ())) for split in known.counts}
  if found == known.counts:
    return []
  here, published = (
    ', '.join(f'{count:,} {split}' for split, count in counts.items())
    for counts in (found, known.counts)
  )
  return [
    f'warning: {known.title} has {published} images, the source {here}: '
    'numbers will not compare with published ones'
  ]


def _treatment(
  name: str,
  source: base.Source,
  taken: np.ndarray,
  known: Known | None,
  wishes: Wishes,
) -> tuple[Treatment, list[str]]:
  if known:
    full = wishes.resolution or known.resolutions[0]
    treatment = Treatment(
      full,
      wishes.channels or known.channels,
      wishes.fit,
      known.window,
      known.native,
      wishes.enlarge,
      wishes.depth_range,
    )
    return treatment, []
  notes: list[str] = []
  full = wishes.resolution or 0
  if not full:
    full, notes = _largest_resolution(source, taken, wishes)
  return Treatment(
    full,
    wishes.channels or 3,
    wishes.fit,
    enlarge=wishes.enlarge,
    depth_range=wishes.depth_range,
  ), notes


def _largest_resolution(
  source: base.Source, taken: np.ndarray, wishes: Wishes
) -> tuple[int, list[str]]:
  """The largest power of two that no image is smaller than, of 4 to 1024.

  It reads the headers only. Images that can't be read are told of later.

  Raises:
    UserError: an image is smaller than 4x4, or none can be read.
  """
  sides: dict[int, int] = {}
  why = ''
  for index in progress.over(
    np.flatnonzero(taken).tolist(), 'measuring', unit='images'
  ):
    try:
      size = _size(source, index)
    except base.BadImage as error:
      why = why or f'{source.names[index]}: {error}'
      continue
    sides[index] = max(size) if wishes.fit == 'pad' else min(size)
  if not sides:
    raise UserError(f'source {source.path}: no image can be read: {why}')
  return choose_resolution(source, sides)


def _size(source: base.Source, index: int) -> tuple[int, int]:
  """Width and height of an image."""
  place = source.places[index]
  with contextlib.suppress(base.BadImage):  # which may be true of its head only
    return decoding.size_of(source.reader.head(place))
  return decoding.size_of(source.reader.read(place))


def choose_resolution(
  source: base.Source, sides: Mapping[int, int]
) -> tuple[int, list[str]]:
  """The resolution of images of these sides, and what a few small ones cost.

  Args:
    source: names the images.
    sides: the side of each image that counts, by its index.

  Raises:
    UserError: an image is smaller than 4x4.
  """
  smallest = min(sides, key=lambda index: sides[index])
  if sides[smallest] < 4:
    raise UserError(f'{source.names[smallest]} is smaller than 4x4; remove it')
  full = _power_below(sides[smallest])
  ordered = np.sort(np.fromiter(sides.values(), int))
  # What a tenth of the images keeps from the others is worth a word.
  others = _power_below(int(ordered[len(ordered) // 10]))
  if others == full:
    return full, []
  few = int(np.searchsorted(ordered, others))
  return full, [
    f'resolution {full}, for {source.names[smallest]} has a side of '
    f'{sides[smallest]}: without {few} of {len(ordered):,} images it could be '
    f'{others} (resolution {others} and bad_files skip)'
  ]


def _power_below(side: int) -> int:
  return min(1 << (side.bit_length() - 1), max(levels.RESOLUTIONS))
