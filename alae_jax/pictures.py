"""Grids of images: what a run looks like."""

import io

import numpy as np
from etils import epath
from PIL import Image

from alae_jax import runs

# Small images are enlarged, by whole factors, to at least this side.
_VIEWING_SIDE = 32


def grid(images: np.ndarray, columns: int) -> np.ndarray:
  """Lays images out row by row.

  Args:
    images: uint8 [N, H, W, C].
    columns: of the grid.

  Returns:
    uint8 [rows * H, columns * W, C]; places left over are black.
  """
  n, height, width, channels = images.shape
  rows = -(-n // columns)
  padded = np.zeros((rows * columns, height, width, channels), np.uint8)
  padded[:n] = images
  return padded.reshape(rows, columns, height, width, channels).swapaxes(
      1, 2).reshape(rows * height, columns * width, channels)


def beside(originals: np.ndarray, results: np.ndarray) -> np.ndarray:
  """[N, H, W, C] twice -> [2N, H, W, C], each result right of its original."""
  return np.stack([originals, results], axis=1).reshape(
      -1, *originals.shape[1:])


def enlarge(images: np.ndarray) -> np.ndarray:
  """Repeats the pixels of small images so that a person sees them."""
  factor = -(-_VIEWING_SIDE // images.shape[1])
  return images.repeat(factor, axis=1).repeat(factor, axis=2)


def write_png(path: epath.Path, image: np.ndarray) -> None:
  """Writes uint8 [H, W, C], whole or not at all; C is 1 or 3."""
  buffer = io.BytesIO()
  Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(
      buffer, 'PNG')
  runs.write_whole(path, buffer.getvalue())


def write_grid(path: epath.Path, images: np.ndarray, columns: int) -> None:
  """Writes uint8 [N, H, W, C] as one PNG, small images enlarged."""
  write_png(path, grid(enlarge(images), columns))
