"""TFDS builders of our own, which need no TensorFlow to prepare or read.

The stock ones do. The difference is that these write ArrayRecord files and
hand TFDS images that are already PNG. Every dataset has one TFDS config per
resolution, named after it: data_dir/NAME/128/1.0.0.

A resolution below the full one is the box average of it
(images.box_average), so each is also the 2x2 average of the next.
"""

import abc
import collections
import concurrent.futures
import hashlib
import os
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
import requests
import tensorflow_datasets as tfds
import tqdm
from etils import epath

from alae_jax.data import images
from alae_jax.data.sources import idx
from alae_jax.errors import UserError

RESOLUTIONS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
VERSION = '1.0.0'
T = TypeVar('T')
# TFDS' own registry keeps its own mnist.
_UNREGISTERED: dict[str, Any] = {'skip_registration': True}
Example = dict[str, Any]


def pyramid(full: int) -> tuple[int, ...]:
  """Returns the resolutions prepared with a full one, the full one first.

  A power of two has all those below it, down to 4; any other (MNIST's own
  28) stands alone.
  """
  if full not in RESOLUTIONS:
    return (full,)
  return tuple(r for r in reversed(RESOLUTIONS) if r <= full)


class ResolutionBuilder(tfds.core.GeneratorBasedBuilder, **_UNREGISTERED):
  """What the builders share: one resolution of one dataset.

  A subclass says how many images a split has and gives them one by one at
  the full resolution.
  """

  VERSION = tfds.core.Version(VERSION)
  BUILDER_CONFIGS: ClassVar = [
    tfds.core.BuilderConfig(name=str(r), version=VERSION)
    for r in sorted((28, *RESOLUTIONS))
  ]

  def __init__(self, resolution: int, data_dir: epath.PathLike):
    """Names the resolution; prepares nothing yet."""
    self.resolution = resolution
    super().__init__(data_dir=data_dir, config=str(resolution))

  channels: int
  num_classes: int | None = None

  @abc.abstractmethod
  def fingerprint(self) -> str:
    """Returns a hash of what the images are made from."""

  @abc.abstractmethod
  def _sizes(self) -> dict[str, int]:
    """Returns the number of images of each split that has any."""

  @abc.abstractmethod
  def _example(self, split: str, index: int) -> Example:
    """Returns {'image': uint8 [R, R, C] at full resolution, 'label': …}."""

  def _info(self) -> tfds.core.DatasetInfo:
    shape = (self.resolution, self.resolution, self.channels)
    image = tfds.features.Image(shape=shape, encoding_format='png')
    features: dict[str, Any] = {'image': image}
    if self.num_classes:
      features['label'] = tfds.features.ClassLabel(num_classes=self.num_classes)
    return tfds.core.DatasetInfo(
      builder=self,
      features=tfds.features.FeaturesDict(features),
      metadata=tfds.core.MetadataDict(),
      disable_shuffling=True,  # keep the order; training shuffles
    )

  def _split_generators(self, dl_manager):
    self._fetch(dl_manager)
    self.info.metadata['fingerprint'] = self.fingerprint()
    return {
      split: self._generate_examples(split, size)
      for split, size in self._sizes().items()
    }

  def _fetch(self, dl_manager) -> None:
    """Downloads what is needed, for a dataset that can be downloaded."""

  def _generate_examples(self, split: str, size: int):
    title = f'{self.name} {self.resolution}x{self.resolution} {split}'
    encoded = threaded_map(lambda i: self._encode(split, i), range(size))
    bar = tqdm.tqdm(
      encoded, title, size, unit=' images', smoothing=0.05, delay=1
    )
    yield from enumerate(bar)

  def _encode(self, split: str, index: int) -> Example:
    """Returns one example at this one's resolution, as PNG."""
    example = self._example(split, index)
    image = images.box_average(example['image'], self.resolution)
    return example | {'image': images.encode_png(image)}


class Mnist(ResolutionBuilder, **_UNREGISTERED):
  """MNIST: 28x28 as published, or zero-padded to 32x32 and halved to 4x4."""

  channels = 1
  num_classes = 10
  url = 'https://storage.googleapis.com/cvdf-datasets/mnist/'

  def __init__(
    self,
    resolution: int,
    data_dir: epath.PathLike,
    source: epath.PathLike | None = None,
  ):
    """Makes one resolution.

    Args:
      resolution: 28, or one of 32, 16, 8, 4.
      data_dir: where datasets are kept.
      source: a folder with the four IDX files; None: download them.
    """
    self._files = idx.find_files(source) if source else None
    self._data: dict[str, dict[str, np.ndarray]] = {}
    super().__init__(resolution, data_dir)

  def fingerprint(self) -> str:
    """Returns a hash of the images and labels, however they were packed."""
    digest = hashlib.sha256()
    for split in idx.STEMS:
      data = self._load(split)
      digest.update(data['image'].tobytes() + data['label'].tobytes())
    return digest.hexdigest()

  def _fetch(self, dl_manager) -> None:
    if self._files:
      return
    # TFDS tries for minutes before it gives up: see if the server is there.
    requests.head(self.url, timeout=20)
    names = {
      split: {
        'image': f'{stem}-images-idx3-ubyte.gz',
        'label': f'{stem}-labels-idx1-ubyte.gz',
      }
      for split, stem in idx.STEMS.items()
    }
    join = urllib.parse.urljoin
    self._files = dl_manager.download(
      {
        split: {part: join(self.url, name) for part, name in files.items()}
        for split, files in names.items()
      }
    )

  def _sizes(self) -> dict[str, int]:
    return {split: len(self._load(split)['label']) for split in idx.STEMS}

  def _example(self, split: str, index: int) -> Example:
    data = self._load(split)
    image = data['image'][index]
    if self.resolution != 28:
      image = np.pad(image, ((2, 2), (2, 2), (0, 0)))
    return {'image': image, 'label': int(data['label'][index])}

  def _load(self, split: str) -> dict[str, np.ndarray]:
    """Reads and checks a split once."""
    if split not in self._data:
      assert self._files is not None
      data = idx.read_split(self._files[split])
      _check_mnist(self._files[split], data)
      self._data[split] = data
    return self._data[split]


class FashionMnist(Mnist, **_UNREGISTERED):
  """Fashion-MNIST: MNIST's format with ten kinds of clothes."""

  url = 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/'


class ImageFolder(ResolutionBuilder, **_UNREGISTERED):
  """Any images: cropped to the central square, resized, in sorted order."""

  def __init__(
    self,
    name: str,
    resolution: int,
    data_dir: epath.PathLike,
    *,
    files: Mapping[str, Sequence[epath.Path]],
    full: int,
    channels: int = 3,
    fingerprint: str = '',
    reader: Callable[[str, int], np.ndarray] | None = None,
  ):
    """Makes one resolution.

    Args:
      name: the dataset's name.
      resolution: this one's.
      data_dir: where datasets are kept.
      files: the image files of each split that has any.
      full: the full resolution, of which this one is the box average.
      channels: 3 (RGB) or 1 (grey).
      fingerprint: a hash of the files and of how they are treated.
      reader: (split, index) -> uint8 [full, full, C], where the full resolution
        is already there to read; None: read the files.
    """
    self.name = name
    self.channels = channels
    self._splits, self._full = files, full
    self._fingerprint = fingerprint
    self._reader = reader or self._read_file
    super().__init__(resolution, data_dir)

  def fingerprint(self) -> str:
    """Returns the hash given."""
    return self._fingerprint

  def _sizes(self) -> dict[str, int]:
    return {split: len(files) for split, files in self._splits.items()}

  def _example(self, split: str, index: int) -> Example:
    return {'image': self._reader(split, index)}

  def _read_file(self, split: str, index: int) -> np.ndarray:
    image = images.read_image(self._splits[split][index], self.channels)
    return images.to_square(image, self._full)


BY_NAME: dict[str, type[Mnist]] = {
  'mnist': Mnist,
  'fashion_mnist': FashionMnist,
}


def threaded_map(
  function: Callable[[int], T], items: Iterable[int]
) -> Iterator[T]:
  """Maps in threads, in order, a few items ahead.

  The executor's own map would run through all the items at once, and hold
  every result that is not taken yet.
  """
  threads = os.cpu_count() or 1
  pending: collections.deque = collections.deque()
  with concurrent.futures.ThreadPoolExecutor(threads) as pool:
    try:
      for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) >= 8 * threads:
          yield pending.popleft().result()
      while pending:
        yield pending.popleft().result()
    finally:
      pool.shutdown(wait=True, cancel_futures=True)


def _check_mnist(files: dict, data: dict[str, np.ndarray]) -> None:
  """Raises UserError unless the images are 28x28 and the labels below 10."""
  if data['image'].shape[1:] != (28, 28, 1):
    height, width = data['image'].shape[1:3]
    raise UserError(
      f'{files["image"]} holds {height}x{width} images, not 28x28'
    )
  if not len(data['label']):
    raise UserError(f'{files["image"]} holds no images')
  if data['label'].max() > 9:
    raise UserError(
      f'{files["label"]} holds the label {data["label"].max()}; '
      'labels go from 0 to 9'
    )
