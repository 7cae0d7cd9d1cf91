"""Writing images into ArrayRecord files, as TFDS reads them."""

import contextlib
import hashlib
import os
from collections.abc import Iterator

from etils import epath

from alae_jax.errors import OUT_OF_SPACE


class Writer:
  """Writes one file, which takes its name when it is whole."""

  def __init__(self, path: epath.Path):
    """Begins path.partial, in the stead of any that is there."""
    # It takes a second or two, which only those should wait who write.
    from array_record.python import array_record_module
    from tensorflow_datasets.proto import tf_example_pb2, tf_feature_pb2

    self._example, self._feature = tf_example_pb2, tf_feature_pb2
    self._path = path
    self._partial = path.parent / f'{path.name}.partial'
    # As TFDS writes them: each record can be read without its neighbours.
    self._file = array_record_module.ArrayRecordWriter(
      os.fspath(self._partial), 'group_size:1'
    )

  def add(self, png: bytes, label: int | None) -> int:
    """Writes an image; returns its record's bytes.

    Raises:
      OSError: the disk is full.
    """
    of = self._feature
    features = {'image': of.Feature(bytes_list=of.BytesList(value=[png]))}
    if label is not None:
      features['label'] = of.Feature(int64_list=of.Int64List(value=[label]))
    record = self._example.Example(features=of.Features(feature=features))
    content = record.SerializeToString(deterministic=True)
    with _telling_of_the_disk(self._partial):
      self._file.write(content)
    return len(content)

  def close(self) -> tuple[int, str]:
    """Gives the file its name; returns its bytes and their SHA-256.

    Raises:
      OSError: the disk is full.
    """
    with _telling_of_the_disk(self._partial):
      self._file.close()
    with open(self._partial, 'rb') as file:
      os.fsync(file.fileno())
      sha256 = hashlib.file_digest(file, 'sha256').hexdigest()
    size = self._partial.stat().length
    self._partial.replace(self._path)
    return size, sha256

  def discard(self) -> None:
    """Leaves nothing of a file that can't be finished."""
    with contextlib.suppress(Exception):  # it tries to write what is left
      self._file.close()
    self._partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _telling_of_the_disk(path: epath.Path) -> Iterator[None]:
  """ArrayRecord raises RuntimeError for what the system refuses."""
  try:
    yield
  except RuntimeError as error:
    for number in OUT_OF_SPACE:
      if os.strerror(number) in str(error):
        raise OSError(number, os.strerror(number), os.fspath(path)) from error
    raise
