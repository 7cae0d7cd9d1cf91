"""From image files of any kind, and odd ones, to 8-bit RGB or grey."""

import dataclasses
import io
import logging
import warnings

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
import PIL.TiffImagePlugin
from etils import epath

from alae_jax import storage
from alae_jax.data.sources import base
from alae_jax.errors import UserError, printable, reason

# It warns of what it then refuses, and of photographs that are merely large.
logging.getLogger('PIL').setLevel(logging.CRITICAL)
warnings.filterwarnings('ignore', module=r'PIL\.')

EXTENSIONS = frozenset({
  '.avif', '.bmp', '.gif', '.heic', '.heif', '.j2k', '.jfif', '.jp2', '.jpe',
  '.jpeg', '.jpg', '.pbm', '.pgm', '.png', '.pnm', '.ppm', '.tga', '.tif',
  '.tiff', '.webp',
})  # fmt: skip
# Decoded, as many take 512 MiB, for Pillow keeps a colour in four bytes; a bomb
# claims billions. Of cameras that many people have, the largest photographs are
# of 102 million.
MOST_PIXELS = 1 << 27
_WHITE = (255, 255, 255, 255)
_ROWS_AT_ONCE = 256  # of large images, where a copy would not fit
_MARKS = (
  b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff', b'GIF8', b'BM', b'II*\0', b'MM\0*',
  b'II+\0', b'MM\0+', b'\0\0\0\x0cjP  ', b'\xff\x4f\xff\x51',
  b'P4\n', b'P5\n', b'P6\n',
)  # fmt: skip
_DEEP_COLOURS = ('RGB;16', 'RGBX;16', 'RGBA;16', 'LA;16')
_DRAWN = ('EPS', 'WMF')  # which Pillow has other programs draw
_ORIENTATION = 0x0112
_TIFF_BITS, _TIFF_COLOURS, _TIFF_PLANES = 258, 262, 284
_HEIC_BRANDS = (b'heic', b'heix', b'hevc', b'heim', b'heis', b'mif1', b'msf1')


@dataclasses.dataclass(frozen=True)
class Decoded:
  """A decoded image.

  Attributes:
    image: upright, 8 bits, RGB or grey.
    deepest: its largest 16-bit value; 0 if it had 8 bits.
  """

  image: PIL.Image.Image
  deepest: int = 0


def decode(
  raw: base.Raw, channels: int, depth_range: tuple[int, int] | None = None
) -> Decoded:
  """Decodes an image of any kind to 8-bit RGB or grey.

  EXIF orientation is applied, so that the image is the right way up.
  Transparent pixels show white. Colour profiles are left aside, as everybody
  leaves them who prepares images for training. Of an animation, the first frame
  counts. 16 bits are rounded to 8, but for the colours of JPEG 2000 and CMYK,
  of which Pillow drops the lower bytes.

  Args:
    raw: an encoded file, or pixels, uint8 or uint16 [H, W, 1, 3 or 4].
    channels: 3 for RGB, 1 for grey (ITU-R 601 luma).
    depth_range: the 16-bit values that become 0 and 255, the smaller first,
      with rounding; None: 0 and 65535.

  Raises:
    base.BadImage: it is damaged, too large, or no image.
  """
  low, high = depth_range or (0, 65535)
  try:
    if isinstance(raw, bytes):
      image, deepest = _decode_file(raw, low, high)
    else:
      image, deepest = _from_pixels(raw, low, high)
    return Decoded(_in_channels(image, channels), deepest)
  except base.BadImage:
    raise
  except Exception as error:  # a damaged file fails in many ways
    raise base.BadImage(_why(raw, error)) from None


def size_of(raw: base.Raw) -> tuple[int, int]:
  """Returns an image's width and height, as stored; reads no pixels.

  Which is which, EXIF may say otherwise, and to find that out of a PNG takes
  decoding it.

  Raises:
    base.BadImage: it is no image.
  """
  if isinstance(raw, np.ndarray):
    _require_image_shape(raw)
    return raw.shape[1], raw.shape[0]
  try:
    with _open(raw) as image:
      return image.size
  except base.BadImage:
    raise
  except Exception as error:  # a damaged file fails in many ways
    raise base.BadImage(_why(raw, error)) from None


def read_image(path: epath.PathLike, channels: int) -> PIL.Image.Image:
  """Reads an image file of any kind; see `decode`.

  Raises:
    UserError: the file cannot be read as an image.
  """
  path = epath.Path(path)
  storage.require_file(path)
  try:
    if path.stat().length > base.MOST_BYTES:
      raise base.BadImage('it is too large for an image')
    return decode(path.read_bytes(), channels).image
  except base.BadImage as error:
    why = str(error)
  except OSError as error:
    why = error.strerror or reason(error)
  raise UserError(f'cannot read {path}: {why}; mend or remove the file')


def looks_like_image(first_bytes: bytes) -> bool:
  """Whether a file that begins like this (32 bytes do) is an image."""
  return (
    first_bytes.startswith(_MARKS)
    or (first_bytes[:4] == b'RIFF' and first_bytes[8:12] == b'WEBP')
    or first_bytes[4:12] in (b'ftypavif', b'ftypavis')
    or _is_heic(first_bytes)
  )


def _decode_file(
  content: bytes, low: int, high: int
) -> tuple[PIL.Image.Image, int]:
  with _open(content) as image:
    _refuse_misread(image)
    if _is_deep_colour(image):
      return _decode_deep_colour(content, image, low, high)
    PIL.ImageOps.exif_transpose(image, in_place=True)
    if image.mode == 'F':
      raise base.BadImage('floating-point pixels have no known range')
    if image.mode.startswith('I'):
      return _from_pixels(np.asarray(image)[..., None], low, high)
    if image.has_transparency_data:
      return _over_white(image), 0
    image.load()
    return image, 0


def _decode_deep_colour(
  content: bytes, image: PIL.Image.Image, low: int, high: int
) -> tuple[PIL.Image.Image, int]:
  """Reads all 16 bits with OpenCV, once Pillow has found the file whole."""
  image.load()
  turn = image.getexif().get(_ORIENTATION, 1) if image.format == 'PNG' else 1
  pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
  if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
    raise base.BadImage('its 16-bit colours cannot be read')
  kept = pixels.shape[2] if image.has_transparency_data else 3
  colours = pixels[..., [2, 1, 0, 3][:kept]]
  upright, deepest = _from_pixels(colours, low, high)
  # OpenCV turns TIFF itself.
  upright.getexif()[_ORIENTATION] = turn
  PIL.ImageOps.exif_transpose(upright, in_place=True)
  return upright, deepest


def _in_channels(image: PIL.Image.Image, channels: int) -> PIL.Image.Image:
  mode = 'RGB' if channels == 3 else 'L'
  if image.mode == mode:  # which convert would copy
    return image
  if image.mode == 'LAB':  # from which there is no other way
    image = image.convert('RGB')
  return image.convert(mode)


def _refuse_misread(image: PIL.Image.Image) -> None:
  """Refuses what would give wrong pixels, or start another program."""
  if image.format in _DRAWN:
    raise base.BadImage(f'{image.format} is a drawing and has no pixels')
  if not isinstance(image, PIL.TiffImagePlugin.TiffImageFile):
    return
  tags = image.tag_v2
  bits = tags.get(_TIFF_BITS, (1,))
  if max(bits) <= 8:
    return
  if len(bits) > 1 and tags.get(_TIFF_PLANES) == 2:
    raise base.BadImage('its 16-bit colours lie apart (planar); interleave')
  if tags.get(_TIFF_COLOURS) == 0:
    raise base.BadImage('its 16-bit grey counts from white; invert it')


def _open(content: bytes) -> PIL.Image.Image:
  """Reads a file's header, and refuses what would take too much memory."""
  image: PIL.Image.Image
  try:
    image = PIL.Image.open(io.BytesIO(content))
  except PIL.UnidentifiedImageError:
    if not _is_heic(content):
      raise
    image = _open_heic(content)
  except PIL.Image.DecompressionBombError:
    raise base.BadImage(f'it claims more than {MOST_PIXELS:,} pixels') from None
  if image.width * image.height > MOST_PIXELS:
    raise base.BadImage(
      f'it claims {image.width:,} x {image.height:,} pixels, and '
      f'{MOST_PIXELS:,} in all are the most that are read'
    )
  return image


def _is_heic(content: bytes) -> bool:
  return content[4:8] == b'ftyp' and content[8:12] in _HEIC_BRANDS


def _open_heic(content: bytes) -> PIL.Image.Image:
  try:
    import pillow_heif
  except ImportError:
    raise base.BadImage(
      "HEIC needs pillow-heif: pip install 'alae_jax[heic]'"
    ) from None
  pillow_heif.register_heif_opener()
  return PIL.Image.open(io.BytesIO(content))


def _is_deep_colour(image: PIL.Image.Image) -> bool:
  """Whether colours have 16 bits, of which Pillow would drop eight."""
  raw_modes = [tile[3] for tile in getattr(image, 'tile', ())]
  modes = [mode[0] if isinstance(mode, tuple) else mode for mode in raw_modes]
  return any(isinstance(m, str) and m.startswith(_DEEP_COLOURS) for m in modes)


def _from_pixels(
  pixels: np.ndarray, low: int, high: int
) -> tuple[PIL.Image.Image, int]:
  """An 8-bit image of an array [H, W, 1, 3 or 4], and its largest value."""
  _require_image_shape(pixels)
  if pixels.shape[0] * pixels.shape[1] > MOST_PIXELS:
    raise base.BadImage(f'it has more than {MOST_PIXELS:,} pixels')
  deepest = 0
  if pixels.dtype != np.uint8:
    if (
      pixels.dtype.kind not in 'iu' or pixels.min() < 0 or pixels.max() > 65535
    ):
      raise base.BadImage('its values are outside 0..65535')
    deepest = int(pixels.max())
    pixels = _to_eight_bits(pixels, low, high)
  if pixels.shape[2] == 1:
    return PIL.Image.fromarray(np.ascontiguousarray(pixels[..., 0])), deepest
  image = PIL.Image.fromarray(np.ascontiguousarray(pixels))
  return (_over_white(image) if image.mode == 'RGBA' else image), deepest


def _require_image_shape(pixels: np.ndarray) -> None:
  if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
    raise base.BadImage(f'an array of shape {pixels.shape} is no image')


def _to_eight_bits(values: np.ndarray, low: int, high: int) -> np.ndarray:
  """Maps low..high to 0..255, rounding to the nearest, halves up."""
  span = high - low
  above = np.clip(values, low, high).astype(np.uint32) - np.uint32(low)
  return ((above * 510 + span) // (2 * span)).astype(np.uint8)


def _over_white(image: PIL.Image.Image) -> PIL.Image.Image:
  """Lays transparency over white."""
  out = PIL.Image.new('RGB', image.size)
  for top in range(0, image.height, _ROWS_AT_ONCE):
    bottom = min(top + _ROWS_AT_ONCE, image.height)
    strip = image.crop((0, top, image.width, bottom)).convert('RGBA')
    white = PIL.Image.new('RGBA', strip.size, _WHITE)
    out.paste(PIL.Image.alpha_composite(white, strip).convert('RGB'), (0, top))
  return out


def _why(raw: base.Raw, error: Exception) -> str:
  if isinstance(error, PIL.UnidentifiedImageError):
    return 'it is empty' if not len(raw) else 'it is not an image'
  return printable(reason(error), 200)
