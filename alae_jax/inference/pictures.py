"""Grids of images: what a run looks like."""

import io

import numpy as np
from etils import epath
from PIL import Image

from alae_jax import storage

# Small images are enlarged, by whole factors, to at least this side.
_VIEWING_SIDE = 64
_LINE = 2  # pixels between images
BACKGROUND = 96  # grey


def grid(images: np.ndarray, columns: int) -> np.ndarray:
  """Lays images out row by row, with thin grey lines between them.

  Args:
    images: uint8 [N, H, W, C].
    columns: of the grid.

  Returns:
    uint8 [rows * (H + 2) + 2, columns * (W + 2) + 2, C].
  """
  n, height, width, channels = images.shape
  rows = -(-n // columns)
  cells = np.full(
    (rows * columns, height + _LINE, width + _LINE, channels),
    BACKGROUND,
    np.uint8,
  )
  cells[:n, _LINE:, _LINE:] = images
  joined = (
    cells.reshape(rows, columns, *cells.shape[1:])
    .swapaxes(1, 2)
    .reshape(rows * cells.shape[1], columns * cells.shape[2], channels)
  )
  return np.pad(
    joined, ((0, _LINE), (0, _LINE), (0, 0)), constant_values=BACKGROUND
  )


def beside(originals: np.ndarray, results: np.ndarray) -> np.ndarray:
  """[N, H, W, C] twice -> [2N, H, W, C], each result right of its original."""
  return np.stack([originals, results], axis=1).reshape(
    -1, *originals.shape[1:]
  )


def cell_side(resolution: int) -> int:
  """Side of what an image of a grid takes, once enlarged, in pixels."""
  return resolution * _enlargement(resolution) + _LINE


def enlarge(images: np.ndarray) -> np.ndarray:
  """Repeats the pixels of small images so that a person sees them."""
  factor = _enlargement(images.shape[1])
  return images.repeat(factor, axis=1).repeat(factor, axis=2)


def _enlargement(side: int) -> int:
  return -(-_VIEWING_SIDE // side)


def write_png(path: epath.Path, image: np.ndarray) -> None:
  """Writes uint8 [H, W, C], whole or not at all; C is 1 or 3."""
  buffer = io.BytesIO()
  Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(
    buffer, 'PNG'
  )
  storage.write_whole(path, buffer.getvalue())


def write_grid(path: epath.Path, images: np.ndarray, columns: int) -> None:
  """Writes uint8 [N, H, W, C] as one PNG, small images enlarged."""
  write_png(path, grid(enlarge(images), columns))


def mixing_table(
  heads: np.ndarray, cells: np.ndarray, columns: int
) -> np.ndarray:
  """The cells with sources above and destinations to the left.

  Args:
    heads: uint8 [S + D, H, W, C], sources first.
    cells: uint8 [D * S, H, W, C].
    columns: S.

  Returns:
    uint8 [(D + 1) * (S + 1), H, W, C], row by row.
  """
  rows = cells.reshape(-1, columns, *cells.shape[1:])
  rows = np.concatenate([heads[columns:, None], rows], axis=1)
  corner = np.full_like(heads[:1], BACKGROUND)
  return np.concatenate(
    [corner, heads[:columns], rows.reshape(-1, *cells.shape[1:])]
  )


def frames(images: np.ndarray, steps: int) -> list[np.ndarray]:
  """A frame for each step, with all points in a row."""
  rows = enlarge(images).reshape(-1, steps, *enlarge(images[:1]).shape[1:])
  return [grid(rows[:, i], len(rows)) for i in range(steps)]
