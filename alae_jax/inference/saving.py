"""Images as a PNG file or inline in a notebook, for users of the package."""

import math
from collections.abc import Sequence

import numpy as np
from etils import epath
from jax.typing import ArrayLike
from PIL import Image

from alae_jax import storage
from alae_jax.inference import arguments, pictures
from alae_jax.inference.sheets import Sheet
from alae_jax.ops.pixels import to_uint8

# What is larger is shrunk: a notebook keeps what it shows, and shows no more.
_MOST_SHOWN = 2048
_SIDE_ALONE = 256  # at least, of a single image


def save_images(images: ArrayLike, path: epath.PathLike) -> None:
  """Writes images as one PNG, whole or not at all.

  One image is written pixel by pixel. Several become a grid, with about as
  many columns as rows, in which small ones are enlarged.

  Args:
    images: [N, H, W, C] or one of [H, W, C], with C 1 or 3: uint8, or float in
      [-1, 1] as a Model gives them; what overshoots is clipped.
    path: of the file, local or gs://, ending in .png; its folder is made where
      it is missing, and a file there is replaced.

  Raises:
    ValueError: the images have another shape, type or range or are none, or
      the path has another ending.
    UserError: there can be no such file.
  """
  file = storage.locate(path)
  if file.suffix.lower() != '.png':
    raise ValueError(f'path is {str(path)!r}: it must end in .png')
  pixels = _pixels(images)
  storage.require_folder(file.parent)
  file.parent.mkdir(parents=True, exist_ok=True)
  if len(pixels) == 1:
    pictures.write_png(file, pixels[0])
  else:
    pictures.write_png(file, _grid(pixels, _columns(len(pixels))))


def show(
  images: ArrayLike,
  labels: Sequence[object] = (),
  columns: int | None = None,
) -> Image.Image:
  """Images as one picture, which a notebook shows as the value of a cell.

  Several are the grid that `save_images` writes; one that is small is enlarged,
  and what is larger than a screen shrunk.

  Args:
    images: as `save_images` takes them.
    labels: of square images: what is written above each, if anything.
    columns: of the grid; None for about as many as rows.

  Raises:
    ValueError: the images have another shape, type or range or are none, or
      the labels are not as many.
  """
  pixels = _pixels(images)
  columns = arguments.whole_number('columns', columns or _columns(len(pixels)))
  columns = min(columns, len(pixels))
  if len(labels):
    _check_labels(pixels, labels)
    captions = [str(label) for label in labels]
    drawn = Sheet(columns, captions=captions).draw(pixels)
  elif len(pixels) == 1:
    drawn = pictures.enlarge(pixels, _SIDE_ALONE)[0]
  else:
    drawn = _grid(pixels, columns)
  picture = pictures.to_picture(drawn)
  picture.thumbnail((_MOST_SHOWN, _MOST_SHOWN))
  return picture


def _grid(pixels: np.ndarray, columns: int) -> np.ndarray:
  return pictures.grid(pictures.enlarge(pixels), columns)


def _columns(n: int) -> int:
  return math.ceil(math.sqrt(n))


def _pixels(images: ArrayLike) -> np.ndarray:
  """uint8 [N, H, W, C] of what a user gives."""
  pixels = arguments.pixels(images)
  shape = pixels.shape
  if len(shape) not in (3, 4) or 0 in shape or shape[-1] not in (1, 3):
    raise ValueError(
      f'images have shape {list(shape)}: it must be [N, H, W, C] or [H, W, C], '
      'with C 1 or 3 and nothing 0'
    )
  pixels = pixels.reshape(-1, *shape[-3:])
  return pixels if pixels.dtype == np.uint8 else to_uint8(pixels)


def _check_labels(pixels: np.ndarray, labels: Sequence[object]) -> None:
  n, height, width, _ = pixels.shape
  if len(labels) != n:
    raise ValueError(f'labels are {len(labels)} and images {n}')
  if height != width:
    raise ValueError(f'images are {height}x{width}: labels need square ones')
