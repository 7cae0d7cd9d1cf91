"""Files that are hostile or odd, and what each of them gives."""

import io
import pathlib
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest

from alae_jax.data import decoding
from alae_jax.data.sources import base
from alae_jax.errors import UserError
from tests.support.odd_images import (
  bmp_claiming,
  exif,
  png,
  png_chunk,
  png_of,
  tga_claiming,
  tiff,
  webp_claiming,
)

# A row of one black pixel, and much that takes little.
DOT = bytes(4)
BOMB = zlib.compress(bytes(16 << 20), 9)
RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65_536, (6, 5, 3), np.uint16)
MEMORY = pathlib.Path('/proc/self/mem')  # whose first bytes nobody may read
ALPHA = np.full((6, 5, 1), 65_535, np.uint16)


def saved(image, kind, **options):
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


def jpeg(**options):
  return saved(PIL.Image.fromarray(RGB), 'jpeg', **options)


def jpeg_claiming(height, width):
  content = bytearray(jpeg())
  start = content.index(b'\xff\xc0') + 5
  content[start : start + 4] = struct.pack('>HH', height, width)
  return bytes(content)


def text(kind, packed):
  return png(1, 1, 8, 2, DOT, png_chunk(kind, packed))


def directory(tag, count, value, entries=1):
  """A TIFF of one entry."""
  entry = struct.pack('<HHII', tag, 4, count, value)
  return b'II*\0' + struct.pack('<IH', 8, entries) + entry + bytes(4)


BAD = {
  'nothing': (b'', 'it is empty'),
  'a zero': (b'\0', 'it is not an image'),
  'zeros': (bytes(5000), 'it is not an image'),
  'text': (b'Dear Sir', 'it is not an image'),
  'a web page': (b'<!DOCTYPE html><html>404', 'it is not an image'),
  'a drawing': (b'<svg xmlns="x"/>', 'it is not an image'),
  'PDF': (b'%PDF-1.7\n', 'it is not an image'),
  'ZIP': (b'PK\3\4' + bytes(60), 'it is not an image'),
  'PostScript': (
    b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n',
    'EPS is a drawing',
  ),
  'PNG mark': (b'\x89PNG\r\n\x1a\n', None),
  'PNG without pixels': (png(9, 9, 8, 2, b''), 'truncated'),
  'PNG of no width': (png(0, 9, 8, 2, DOT), None),
  'PNG of no height': (png(9, 0, 8, 2, b''), None),
  'PNG of 5 bits': (png(1, 1, 5, 2, DOT), None),
  'PNG of 11,000 x 11,000': (png(11_000, 11_000, 8, 2, DOT), 'truncated'),
  'PNG of 2 ** 31': (png(2**31 - 1, 2**31 - 1, 8, 2, DOT), 'claims more'),
  'deep PNG, large': (png(13_000, 13_000, 16, 2, DOT), 'claims 13,000'),
  'deep PNG, short': (png_of(DEEP)[:80], 'truncated'),
  'PNG chunk of 2 GB': (
    png_of(RGB)[:33] + struct.pack('>I', 2**31 - 1) + b'IDAT' + bytes(99), None
  ),
  'PNG zTXt bomb': (text(b'zTXt', b'k\0\0' + BOMB), 'too large'),
  'PNG iTXt bomb': (text(b'iTXt', b'k\0\1\0\0\0' + BOMB), 'too large'),
  'PNG profile bomb': (text(b'iCCP', b'k\0\0' + BOMB), 'too large'),
  'JPEG mark': (b'\xff\xd8\xff', None),
  'JPEG without end': (jpeg()[:-2], 'truncated'),
  'progressive JPEG, short': (jpeg(progressive=True)[:-9], 'truncated'),
  'JPEG of no height': (jpeg_claiming(0, 9), None),
  'JPEG of 65,535': (jpeg_claiming(65_535, 65_535), 'claims more'),
  'GIF without frames': (b'GIF89a\xff\xff\xff\xff\0\0\0;', None),
  'BMP of 2 ** 31': (bmp_claiming(2**31 - 1, 2**31 - 1), 'claims more'),
  'BMP upside down': (bmp_claiming(-5, -5), None),
  'BMP, short': (bmp_claiming(11_000, 11_000), 'truncated'),
  'TGA of 65,535': (tga_claiming(65_535, 65_535), 'claims more'),
  'TGA in runs, short': (tga_claiming(9_000, 9_000, 10), 'truncated'),
  'WebP of 16,383': (webp_claiming(16_383, 16_383), 'claims more'),
  'WebP of 2 ** 24': (webp_claiming(1 << 24, 200), 'claims more'),
  'WebP, empty': (webp_claiming(9_000, 9_000), None),
  'PPM of 999,999,999': (b'P6 999999999 999999999 255\n', 'claims more'),
  'PPM, short': (b'P6 9000 9000 255\n' + bytes(99), 'truncated'),
  'PPM, a long number': (b'P6 ' + b'9' * 99_999, None),
  'TIFF in a circle': (directory(34_665, 1, 8), None),
  'TIFF of many tags': (directory(256, 1, 1, 65_535), None),
  'TIFF of many widths': (directory(256, 2**32 - 1, 8), None),
  'TIFF, short': (tiff(RGB)[:-1], 'truncated'),
  'deep TIFF, short': (tiff(DEEP)[:-1], 'truncated'),
  'deep TIFF in planes': (tiff(DEEP, planes=2), 'lie apart'),
  'deep TIFF from white': (tiff(DEEP[..., :1], colours=0), 'from white'),
  'negative TIFF': (
    tiff(np.full((4, 4, 1), -9, np.int16), colours=1), 'outside 0..65535'
  ),
  'TIFF of large numbers': (
    tiff(np.full((4, 4, 1), 70_000, np.uint32), colours=1), 'outside 0..65535'
  ),
  'float TIFF': (tiff(np.ones((4, 4, 1), np.float32), colours=1), 'floating'),
  'double TIFF': (tiff(np.ones((4, 4, 1)), colours=1), None),
  'float RGB': (tiff(np.ones((4, 4, 3), np.float32)), None),
  'AVIF mark': (b'\0\0\0 ftypavif' + bytes(200), None),
  'HEIC mark': (b'\0\0\0\x18ftypheic\0\0\0\0mif1heic', None),
  'JPEG 2000 mark': (b'\0\0\0\x0cjP  \r\n\x87\n' + bytes(50), None),
  'BLP1': (b'BLP1' + b'\xff' * 200, None),
  'BLP2': (b'BLP2' + bytes(range(256)), None),
  'DDS': (b'DDS |\0\0\0' + b'\xff' * 200, None),
  'ICNS': (b'icns' + b'\xff' * 200, None),
  'PSD': (b'8BPS\0\1' + b'\xff' * 200, None),
  'FITS': (b'SIMPLE  =                    T' + bytes(200), None),
  'an array of one axis': (np.zeros(4, np.uint8), r'shape \(4,\)'),
  'an array of no axis': (np.uint8(4).reshape(()), r'shape \(\)'),
  'an array of five colours': (np.zeros((4, 4, 5), np.uint8), 'shape'),
  'an array without rows': (np.zeros((0, 4, 3), np.uint8), 'shape'),
  'an array of truths': (np.zeros((4, 4, 3), bool), 'outside 0..65535'),
  'an array of objects': (np.zeros((4, 4, 3), object), 'outside 0..65535'),
  'an array of texts': (np.zeros((4, 4, 3), 'U3'), 'outside 0..65535'),
}  # fmt: skip


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
@pytest.mark.parametrize('name', BAD)
def test_what_is_bad_gives_one_reason(name, capfd, caplog):
  raw, message = BAD[name]
  with pytest.raises(base.BadImage, match=message) as caught:
    decoding.decode(raw, 3)
  assert 0 < len(str(caught.value)) < 300
  assert '\n' not in str(caught.value)
  assert capfd.readouterr() == ('', '')
  assert not caplog.records


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
@pytest.mark.parametrize('name', BAD)
def test_the_size_of_what_is_bad_is_a_reason_or_a_size(name):
  try:
    width, height = decoding.size_of(BAD[name][0])
  except base.BadImage as error:
    assert '\n' not in str(error)
  else:
    assert isinstance(width, int)
    assert isinstance(height, int)


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
def test_what_packs_much_into_little_takes_no_memory():
  raws = [raw for name, (raw, _) in BAD.items() if 'bomb' in name]
  assert len(raws) == 3
  tracemalloc.start()
  for raw in raws:
    with pytest.raises(base.BadImage):
      decoding.decode(raw, 3)
  assert tracemalloc.get_traced_memory()[1] < 8 << 20
  tracemalloc.stop()


def rounded(values):
  """16 bits to 8, by what rounding means."""
  return np.floor(values / 257 + 0.5).astype(np.uint8)


def over_white(colours, alpha):
  return np.broadcast_to(np.where(alpha > 0, colours, 255), colours.shape)


HALF = ALPHA.copy()
HALF[:3] = 0
GOOD = {
  'deep PNG': (png_of(DEEP), rounded(DEEP)),
  'deep PNG with alpha': (
    png_of(np.concatenate([DEEP, HALF], 2)), over_white(rounded(DEEP), HALF)
  ),
  'deep grey PNG with alpha': (
    png_of(np.concatenate([DEEP[..., :1], HALF], 2)),
    np.repeat(over_white(rounded(DEEP[..., :1]), HALF), 3, 2),
  ),
  'deep TIFF': (tiff(DEEP), rounded(DEEP)),
  'deep TIFF, big end first': (tiff(DEEP, '>'), rounded(DEEP)),
  'deep TIFF, LZW': (
    cv2.imencode('.tiff', DEEP[..., ::-1])[1].tobytes(), rounded(DEEP)
  ),
  'deep TIFF with something': (  # not alpha
    tiff(np.concatenate([DEEP, HALF], 2), t338=0), rounded(DEEP)
  ),
  'deep TIFF with alpha': (
    tiff(np.concatenate([DEEP, HALF], 2), t338=2),
    over_white(rounded(DEEP), HALF),
  ),
  'TIFF in planes': (tiff(RGB, planes=2), RGB),
  'TIFF from white': (
    tiff(RGB[..., :1], colours=0), np.repeat(255 - RGB[..., :1], 3, 2)
  ),
  'deep PPM': (b'P6 5 6 65535\n' + DEEP.astype('>u2').tobytes(), rounded(DEEP)),
  'PBM in letters': (
    b'P1\n2 1\n1 0\n', np.array([[[0] * 3, [255] * 3]], np.uint8)
  ),
  'PNG of one pixel': (png(1, 1, 8, 2, b'\0\1\2\3'), np.array([[[1, 2, 3]]])),
  'PNG of one bit': (
    png(8, 1, 1, 0, b'\0\xa5'),
    np.repeat(np.array([1, 0, 1, 0, 0, 1, 0, 1])[None, :, None] * 255, 3, 2),
  ),
  'PNG without end': (png_of(RGB)[:-12], RGB),
  'PNG with pixels to spare': (
    png(1, 1, 8, 2, bytes(1 << 20)), np.zeros((1, 1, 3))
  ),
  'an array': (RGB, RGB),
  'a deep array': (DEEP, rounded(DEEP)),
  'an array with alpha': (
    np.concatenate([RGB, (HALF >> 8).astype(np.uint8)], 2),
    over_white(RGB, HALF),
  ),
}  # fmt: skip


@pytest.mark.parametrize('name', GOOD)
def test_what_is_odd_is_read(name):
  raw, pixels = GOOD[name]
  decoded = decoding.decode(raw, 3).image
  np.testing.assert_array_equal(np.asarray(decoded), pixels)
  assert decoding.size_of(raw) == decoded.size
  grey = np.asarray(decoding.decode(raw, 1).image)
  assert grey.shape == pixels.shape[:2]


UPRIGHT = {
  1: lambda x: x,
  2: lambda x: x[:, ::-1],
  3: lambda x: x[::-1, ::-1],
  4: lambda x: x[::-1],
  5: lambda x: x.swapaxes(0, 1),
  6: lambda x: np.rot90(x, -1),
  7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
  8: np.rot90,
}


@pytest.mark.parametrize('orientation', UPRIGHT)
@pytest.mark.parametrize('stored', [RGB, DEEP, DEEP[..., :1]])
def test_whatever_its_depth_it_is_turned_upright(orientation, stored):
  pixels = stored if stored.dtype == np.uint8 else rounded(stored)
  turned = UPRIGHT[orientation](pixels)
  wanted = np.broadcast_to(turned, (*turned.shape[:2], 3))
  chunk = png_chunk(b'eXIf', exif(orientation))
  grey = stored.shape[2] == 1
  for content in (
    png_of(stored, chunk),
    tiff(stored, colours=1 if grey else 2, t274=orientation),
  ):
    decoded = decoding.decode(content, 3).image
    np.testing.assert_array_equal(np.asarray(decoded), wanted)
    assert sorted(decoding.size_of(content)) == sorted(decoded.size)


def test_a_size_needs_the_beginning_of_a_file_alone():
  noise = np.random.default_rng(0).integers(0, 256, (99, 70, 3), np.uint8)
  image = PIL.Image.fromarray(noise)
  for content in (
    saved(image, 'png'), saved(image, 'jpeg'), saved(image, 'bmp'), tiff(noise)
  ):  # fmt: skip
    assert decoding.size_of(content[:1000]) == (70, 99)


def test_colours_of_printers():
  """CMYK and YCCK as Adobe stores them: inverted, and as YCbCr with black."""
  ink = PIL.Image.new('CMYK', (16, 16), (10, 200, 60, 40))
  content = bytearray(saved(ink, 'jpeg', quality=100))
  plain = np.asarray(decoding.decode(bytes(content), 3).image)[8, 8]
  paper = [(255 - c) * (255 - 40) / 255 for c in (10, 200, 60)]
  np.testing.assert_allclose(plain, paper, atol=2)
  content[content.index(b'Adobe') + 11] = 2  # its first three are YCbCr now
  y, cb, cr = 255 - 10, 255 - 200 - 128, 255 - 60 - 128
  red, green, blue = (
    y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb
  )  # fmt: skip
  paper = [(255 - min(c, 255)) * (255 - 40) / 255 for c in (red, green, blue)]
  turned = np.asarray(decoding.decode(bytes(content), 3).image)[8, 8]
  np.testing.assert_allclose(turned, paper, atol=2)


@pytest.mark.parametrize('channels', [1, 3])
def test_lab_is_read(channels):
  """L 100, a 0, b 0 is white."""
  content = saved(PIL.Image.new('LAB', (4, 4), (255, 128, 128)), 'tiff')
  pixels = np.asarray(decoding.decode(content, channels).image)
  np.testing.assert_allclose(pixels, 255, atol=2)


def test_what_cameras_write_before_the_picture():
  content = jpeg()
  plain = np.asarray(decoding.decode(content, 3).image)
  segment = b'\xff\xe1\xff\xff' + b'Exif\0\0' + bytes(65_527)
  for many in (1, 100):
    much = content[:2] + segment * many + content[2:]
    np.testing.assert_array_equal(decoding.decode(much, 3).image, plain)


@pytest.mark.skipif(not MEMORY.is_file(), reason='no such file here')
def test_a_file_that_the_system_will_not_read():
  with pytest.raises(UserError, match=f'cannot read {MEMORY}'):
    decoding.read_image(MEMORY, 3)


def test_a_folder_is_no_image(tmp_path):
  with pytest.raises(UserError, match='is a folder'):
    decoding.read_image(tmp_path, 3)


@pytest.mark.parametrize(
  'first',
  [
    b'II+\0\x08\0\0\0', b'\xff\x4f\xff\x51\0\x2f', b'\0\0\0 ftypavis',
    b'\0\0\0 ftypmif1',
  ],
)  # fmt: skip
def test_rarer_marks(first):
  assert decoding.looks_like_image(first + bytes(20))


@pytest.mark.parametrize('first', [b'', b'B', b'RIFF....WAVE', b'P4', b'ftyp'])
def test_what_only_begins_alike(first):
  assert not decoding.looks_like_image(first)
