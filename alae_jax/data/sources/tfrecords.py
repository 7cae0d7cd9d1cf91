"""TFRecords, read in place and without TensorFlow.

StyleGAN's and ALAE's hold pixels, channels first, in files of one resolution
each (ffhq-r10.tfrecords); others hold image files. A record is a length of
eight bytes, its checksum, the content, and its checksum; the content is a
tf.train.Example.
"""

import itertools
import re
import struct
from collections.abc import Sequence

import numpy as np
from etils import epath

from alae_jax import progress, storage
from alae_jax.data.sources import base
from alae_jax.errors import UserError

TITLE = 'TFRecords'
_NAME = re.compile(r'\.tfrecords?($|[.-]\d)')
_RESOLUTION = re.compile(r'-r(\d\d)\.tfrecords?')
_HEADER = struct.Struct('<QI')
_FOOTER = struct.Struct('<I')
_ENCODED = ('image/encoded', 'image', 'jpg', 'png')
_LABEL = ('label', 'image/class/label')

Place = tuple[str, int, int]


class RecordReader(base.Reader):
  """Reads records; a place is a file, an offset and a length."""

  def read(self, place: Place) -> base.Raw:
    """Returns the record's image."""
    return _image(_example(place))


def holds(path: epath.Path) -> bool:
  """Whether it is such a file, or a folder with one."""
  if storage.is_remote(path):
    return False
  return bool(_files(path))


def open_source(path: epath.Path) -> base.Source:
  """Lists the records of the largest resolution, in their order.

  Raises:
    UserError: a file is damaged, or its records hold no images.
  """
  files = _files(path) or [path]
  places = [place for file in files for place in _list(file)]
  if not places:
    raise UserError(f'source {path}: its TFRecords are empty')
  try:
    _image(_example(places[0]))
  except base.BadImage as error:
    raise UserError(f'source {path}: its first record: {error}') from None
  several = len(files) > 1
  names = [
    f'{epath.Path(file).name}/{offset:014d}' if several else f'{i:08d}'
    for i, (file, offset, _) in enumerate(places)
  ]
  return base.Source(
    path=path,
    reader=RecordReader(),
    names=names,
    places=places,
    # With the checksum beside the content.
    sizes=_checksums(places),
    labels=_labels(files, places),
    stamp=base.stamp_of(files),
  )


def _files(path: epath.Path) -> list[epath.Path]:
  """The files at a path; of several resolutions, those of the largest."""
  if not path.is_dir():
    return [path] if _NAME.search(path.name) and path.is_file() else []
  found: dict[int, list[epath.Path]] = {}
  for file in path.iterdir():
    if _NAME.search(file.name) and file.is_file():
      match = _RESOLUTION.search(file.name)
      found.setdefault(int(match[1]) if match else 0, []).append(file)
  return sorted(found[max(found)]) if found else []


def _list(path: epath.Path) -> list[Place]:
  """Where the records are; reads their lengths only.

  Raises:
    UserError: it is no TFRecord file, or cut short.
  """
  storage.require_file(path)
  end = path.stat().length
  places: list[Place] = []
  at = 0
  shown = progress.start(f'listing {path.name}', end, unit='bytes', delay=2)
  try:
    with open(path, 'rb') as file:
      while at < end:
        file.seek(at)
        header = file.read(_HEADER.size)
        length = _length(path, header)
        start = at + _HEADER.size
        at = start + length + _FOOTER.size
        if at > end:
          raise UserError(
            f'{path} is cut short: record {len(places)} wants {at:,} bytes, '
            f'{end:,} are there; get it again'
          )
        places.append((str(path), start, length))
        shown.update(_HEADER.size + length + _FOOTER.size)
  finally:
    shown.close()
  return places


def _length(path: epath.Path, header: bytes) -> int:
  if header[:2] == b'\x1f\x8b':
    raise UserError(f'{path} is packed: gunzip it first')
  if len(header) == _HEADER.size:
    length, checksum = _HEADER.unpack(header)
    if checksum == _masked_crc(header[:8]):
      return length
  raise UserError(f'{path} is no TFRecord file, or a damaged one; get it again')


def _example(place: Place) -> dict:
  """A record's features."""
  from tensorflow_datasets.proto import tf_example_pb2

  path, offset, length = place
  record = base.read_span(path, offset, length + _FOOTER.size)
  content, footer = record[:length], record[length:]
  if _FOOTER.unpack(footer)[0] != _masked_crc(content):
    raise base.BadImage('its checksum is wrong')
  try:
    example = tf_example_pb2.Example.FromString(content)
  except Exception as error:  # of protobuf's several implementations
    raise base.BadImage(f'it is no tf.train.Example ({error})') from None
  return dict(example.features.feature)


def _image(features: dict) -> base.Raw:
  """Pixels [H, W, C], or an image file."""
  if 'data' in features and 'shape' in features:
    shape = tuple(features['shape'].int64_list.value)
    data = b''.join(features['data'].bytes_list.value)
    if len(shape) != 3 or shape[0] not in (1, 3, 4) or min(shape) < 1:
      raise base.BadImage(f'its shape {shape} is not channels, height, width')
    if len(data) != np.prod(shape):
      raise base.BadImage(f'it has {len(data):,} bytes for a shape of {shape}')
    return np.moveaxis(np.frombuffer(data, np.uint8).reshape(shape), 0, 2)
  for name in _ENCODED:
    if name in features and features[name].bytes_list.value:
      return features[name].bytes_list.value[0]
  raise base.BadImage(
    f'it has no image, only {", ".join(sorted(features)) or "nothing"}'
  )


def _labels(
  files: Sequence[epath.Path], places: Sequence[Place]
) -> base.Labels | None:
  """Those of StyleGAN's file beside, or of the records themselves."""
  if len(files) == 1:
    stem = _RESOLUTION.sub('', files[0].name)
    beside = re.compile(re.escape(stem) + r'(-r(\d\d|xx))?\.labels')
    for file in sorted(files[0].parent.iterdir()):
      if beside.fullmatch(file.name):  # not those of 'celebahq' for 'celeba'
        return _of_file(file, len(places))
  first = _example(places[0])
  name = next((n for n in _LABEL if n in first), None)
  if name is None:
    return None
  found = [
    _label(place, name)
    for place in progress.over(places, 'reading labels', unit='images')
  ]
  if min(found) < 0:
    return None
  return base.Labels.numbered(files[0], found)


def _label(place: Place, name: str) -> int:
  """A record's class; -1 without one."""
  try:
    features = _example(place)
  except base.BadImage:
    return 0  # of any class: its image is going to be left out
  value = features[name].int64_list.value if name in features else []
  return value[0] if len(value) == 1 else -1


def _of_file(path: epath.Path, count: int) -> base.Labels | None:
  try:
    labels = np.load(path, allow_pickle=False)
  except (ValueError, EOFError, OSError) as error:
    raise UserError(f'{path} cannot be read ({error}); move it away') from None
  if labels.ndim == 2:  # one-hot; of width 0 without classes
    if labels.shape[1] < 2:
      return None
    labels = labels.argmax(1)
  if labels.shape != (count,):
    raise UserError(
      f'{path} holds {len(labels):,} labels for {count:,} images; move it away'
    )
  if labels.dtype.kind not in 'iu' or labels.min() < 0:
    raise UserError(f'{path} holds no whole numbers from 0; move it away')
  return base.Labels.numbered(path, labels.tolist())


def _checksums(places: Sequence[Place]) -> np.ndarray:
  """The checksum and length of each record, which tell a change."""
  found = np.zeros(len(places), np.int64)
  index = 0
  for path, of_file in itertools.groupby(places, key=lambda place: place[0]):
    with open(path, 'rb') as file:
      for _, offset, length in of_file:
        file.seek(offset + length)
        found[index] = length << 32 | _FOOTER.unpack(file.read(4))[0]
        index += 1
  return found


def _masked_crc(content: bytes) -> int:
  import google_crc32c

  crc = google_crc32c.value(content)
  return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
