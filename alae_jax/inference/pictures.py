"""Images as pictures: grids of them, and PNG files."""

import io

import numpy as np
from etils import epath
from PIL import Image

from alae_jax import storage
from alae_jax.inference.layout import LINE, Layout

# Small images are enlarged, by whole factors, to at least this side.
_VIEWING_SIDE = 64
BACKGROUND = 96  # grey


def grid(images: np.ndarray, columns: int, together: int = 1) -> np.ndarray:
  """Lays images out row by row, with thin grey lines between them.

  Args:
    images: uint8 [N, H, W, C].
    columns: of the grid.
    together: neighbours that belong together, see Layout.

  Returns:
    uint8 [rows * (H + 2) + 2, columns * (W + 2) + 2, C], and wider by what
    keeps apart those that don't belong together.
  """
  n, height, width, _ = images.shape
  rows = -(-n // columns)
  return lay(images, Layout(rows, columns, height, width, together))


def lay(images: np.ndarray, layout: Layout) -> np.ndarray:
  """Images uint8 [N, H, W, C] in their places on grey."""
  picture = np.full((*layout.shape, images.shape[-1]), BACKGROUND, images.dtype)
  for number, image in enumerate(images):
    y, x = layout.place(number)
    picture[y : y + layout.height, x : x + layout.width] = image
  return picture


def beside(originals: np.ndarray, results: np.ndarray) -> np.ndarray:
  """[N, H, W, C] twice -> [2N, H, W, C], each result right of its original."""
  return np.stack([originals, results], axis=1).reshape(
    -1, *originals.shape[1:]
  )


def shown_side(resolution: int) -> int:
  """Side of an image in a grid, once enlarged, in pixels."""
  return resolution * _enlargement(resolution)


def cell_side(resolution: int) -> int:
  """The same with the line that parts it from the next."""
  return shown_side(resolution) + LINE


def enlarge(images: np.ndarray, least: int = _VIEWING_SIDE) -> np.ndarray:
  """Repeats the pixels of small images so that a person sees them.

  Args:
    images: [N, H, W, C].
    least: side that they are to have.
  """
  factor = _enlargement(images.shape[1], least)
  return images.repeat(factor, axis=1).repeat(factor, axis=2)


def _enlargement(side: int, least: int = _VIEWING_SIDE) -> int:
  return -(-least // side)


def to_picture(image: np.ndarray) -> Image.Image:
  """Pillow's form of uint8 [H, W, C]; C is 1 or 3."""
  return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def encode_png(image: np.ndarray) -> bytes:
  """A PNG file of uint8 [H, W, C]; C is 1 or 3."""
  return encode(to_picture(image))


def encode(picture: Image.Image) -> bytes:
  """A PNG file of Pillow's form."""
  buffer = io.BytesIO()
  picture.save(buffer, 'PNG')
  return buffer.getvalue()


def write_png(path: epath.Path, image: np.ndarray) -> None:
  """Writes uint8 [H, W, C], whole or not at all; C is 1 or 3."""
  storage.write_whole(path, encode_png(image))


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
