"""Images as a PNG file, for users of the package."""

import math

from etils import epath
from jax.typing import ArrayLike

from alae_jax import storage
from alae_jax.inference import arguments, pictures
from alae_jax.ops.pixels import to_uint8


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
  pixels = arguments.pixels(images)
  shape = pixels.shape
  if len(shape) not in (3, 4) or 0 in shape or shape[-1] not in (1, 3):
    raise ValueError(
      f'images have shape {list(shape)}: it must be [N, H, W, C] or [H, W, C], '
      'with C 1 or 3 and nothing 0'
    )
  pixels = pixels.reshape(-1, *shape[-3:])
  if pixels.dtype != 'uint8':
    pixels = to_uint8(pixels)
  storage.require_folder(file.parent)
  file.parent.mkdir(parents=True, exist_ok=True)
  if len(pixels) == 1:
    pictures.write_png(file, pixels[0])
  else:
    columns = math.ceil(math.sqrt(len(pixels)))
    pictures.write_grid(file, pixels, columns)
