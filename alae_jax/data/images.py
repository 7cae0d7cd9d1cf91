"""Single images: reading any file, squaring it, averaging it, PNG.

Everything here is a pure function of one image; uint8 [H, W, C], RGB.
"""

import logging
import warnings

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
from etils import epath

from alae_jax import storage
from alae_jax.errors import UserError

# It warns of what it then refuses, and of photographs that are merely large.
logging.getLogger('PIL').setLevel(logging.CRITICAL)
warnings.filterwarnings('ignore', module=r'PIL\.')

EXTENSIONS = frozenset({
  '.bmp', '.gif', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff',
  '.webp',
})  # fmt: skip


def read_image(path: epath.PathLike, channels: int) -> PIL.Image.Image:
  """Reads an image file of any kind as 8-bit RGB or grey.

  EXIF orientation is applied, so that the image is the right way up.
  Transparent pixels show white. 16-bit grey is scaled to 8 bits. Of an
  animation, the first frame counts.

  Args:
    path: the file.
    channels: 3 for RGB, 1 for grey (ITU-R 601 luma).

  Raises:
    UserError: the file cannot be read as an image.
  """
  storage.require_file(epath.Path(path))
  try:
    with epath.Path(path).open('rb') as file, PIL.Image.open(file) as image:
      upright = PIL.ImageOps.exif_transpose(image)
      return _to_eight_bits(upright).convert('RGB' if channels == 3 else 'L')
  except Exception as error:  # a damaged file fails in many ways
    raise UserError(_cannot_read(path, error)) from None


def read_size(path: epath.PathLike) -> tuple[int, int]:
  """Returns the (width, height) in a file's header; reads no pixels.

  Raises:
    UserError: the file is not an image.
  """
  storage.require_file(epath.Path(path))
  try:
    with epath.Path(path).open('rb') as file, PIL.Image.open(file) as image:
      return image.size
  except Exception as error:  # a damaged file fails in many ways
    raise UserError(_cannot_read(path, error)) from None


def to_square(image: PIL.Image.Image, resolution: int) -> np.ndarray:
  """Crops the central square and resizes it.

  Shrinking averages the area that each pixel covers, so it does not alias;
  enlarging is bicubic.

  Returns:
    uint8 [resolution, resolution, C].
  """
  side = min(image.size)
  left, top = (image.width - side) // 2, (image.height - side) // 2
  resampling = PIL.Image.Resampling
  square = image.resize(
    (resolution, resolution),
    resampling.BOX if side >= resolution else resampling.BICUBIC,
    box=(left, top, left + side, top + side),
  )
  return np.asarray(square).reshape(resolution, resolution, -1)


def box_average(image: np.ndarray, resolution: int) -> np.ndarray:
  """Shrinks by averaging blocks: the pyramid of the growing networks.

  Each resolution is the 2x2 box average of the next one, taken without rounding
  in between: a pixel is the mean of its whole block at full resolution,
  rounded once, halves up. The sums are integers, so the result is exact.

  Args:
    image: uint8 [R, R, C].
    resolution: the side wanted; divides R.

  Returns:
    uint8 [resolution, resolution, C].
  """
  block = image.shape[0] // resolution
  if block == 1:
    return image
  shape = (resolution, block, resolution, block, image.shape[2])
  sums = image.reshape(shape).sum((1, 3), dtype=np.uint32)
  return ((sums + block**2 // 2) // block**2).astype(np.uint8)


def encode_png(image: np.ndarray) -> bytes:
  """Encodes uint8 [H, W, 1 or 3] (RGB) as PNG."""
  if image.shape[2] == 3:
    image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
  return cv2.imencode('.png', image)[1].tobytes()


def _cannot_read(path: epath.PathLike, error: Exception) -> str:
  unknown = isinstance(error, PIL.UnidentifiedImageError)
  reason = 'it is not an image' if unknown else error
  return f'cannot read {path}: {reason}; mend or remove the file'


def _to_eight_bits(image: PIL.Image.Image) -> PIL.Image.Image:
  """Scales deep grey to 8 bits and lays transparency over white."""
  if image.mode.startswith('I'):
    return _shrink_grey(image)
  if image.mode == 'F':
    raise ValueError('floating-point pixels have no known range')
  if image.has_transparency_data:
    image = image.convert('RGBA')
    white = PIL.Image.new('RGBA', image.size, 'white')
    return PIL.Image.alpha_composite(white, image)
  return image


def _shrink_grey(image: PIL.Image.Image) -> PIL.Image.Image:
  """Maps grey 0..65535 to 0..255, rounding to the nearest."""
  grey = np.asarray(image).astype(np.int64)
  if grey.min() < 0 or grey.max() > 65535:
    raise ValueError('its grey values are outside 0..65535')
  return PIL.Image.fromarray(((grey + 128) // 257).astype(np.uint8))
