"""The user's own images, as a model takes them."""

import os
from collections.abc import Sequence

import numpy as np
from etils import epath

from alae_jax import progress, storage
from alae_jax.data import decoding, images
from alae_jax.data.dataset import Dataset, digest
from alae_jax.data.sources import folders
from alae_jax.errors import UserError
from alae_jax.inference.model import Model


def find_files(words: Sequence[str]) -> list[epath.Path]:
  """The image files that words name; of a folder all, sorted.

  Raises:
    UserError: there is no such file, or no image in a folder.
  """
  found: list[epath.Path] = []
  for word in words:
    path = storage.locate(word)
    if not path.exists():
      raise UserError(f'{word}: no such file or folder')
    if path.is_dir():
      files = folders.list_images(path)
    else:
      storage.require_file(path)
      files = [path]
    if not files:
      raise UserError(
        f'{word} holds no images ({", ".join(sorted(decoding.EXTENSIONS))})'
      )
    found += files
  return found


def read_pictures(files: Sequence[epath.Path], model: Model) -> np.ndarray:
  """Files as a model takes them: the central square, resized, its channels.

  Returns:
    uint8 [N, H, W, C].
  """
  empty = np.zeros(
    (0, model.resolution, model.resolution, model.channels), np.uint8
  )
  squares = [
    images.to_square(
      decoding.read_image(path, model.channels), model.resolution
    )
    for path in progress.over(files, 'reading', unit='images')
  ]
  return np.stack(squares) if squares else empty


class Pictures(Dataset):
  """Image files as a dataset for a model: each read when it is asked for."""

  num_classes = None

  def __init__(self, files: Sequence[epath.Path], model: Model):
    """Takes image files of any size; reads none yet."""
    self.name = 'pictures'
    self.resolution, self.channels = model.resolution, model.channels
    self._files, self._model = list(files), model

  @property
  def fingerprint(self) -> str:
    """Of the files' names and contents."""
    parts = [os.fspath(path).encode() for path in self._files]
    return digest(*parts, *(path.read_bytes() for path in self._files))

  def __len__(self) -> int:
    return len(self._files)

  def batch(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
    """Reads the files at the indices."""
    files = [self._files[i] for i in indices]
    return {'image': read_pictures(files, self._model)}
