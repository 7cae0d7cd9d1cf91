import contextlib
import io
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest

from alae_jax.data import decoding, images
from alae_jax.data.sources import base
from alae_jax.errors import UserError
from tests.support.example_data import SHARED


def _saved(tmp_path, image, name='image.png', **options):
  path = tmp_path / name
  image.save(path, **options)
  return path


def _read(path, channels=3):
  return np.asarray(decoding.read_image(path, channels))


def test_box_average_by_hand():
  image = np.array(
    [[0, 1, 10, 20], [1, 0, 30, 40], [255, 255, 7, 8], [255, 254, 8, 8]]
  ).astype(np.uint8)[..., None]
  # 2/4 = .5 rounds up; 100/4; 1019/4 = 254.75; 31/4 = 7.75
  np.testing.assert_array_equal(
    images.box_average(image, 2)[..., 0], [[1, 25], [255, 8]]
  )


def test_box_average_rounds_once():
  # Level by level, rounding each time, the ones would become 1, then 1.
  image = np.zeros((4, 4, 1), np.uint8)
  image[::2, ::2] = 2  # each 2x2 block: mean .5, and so is the whole
  image[0, 0] = 1  # the whole: 7/16 = .4375
  assert images.box_average(image, 1).item() == 0
  twice = images.box_average(images.box_average(image, 2), 1)
  assert twice.item() == 1


def test_box_average_is_the_2x2_average_of_the_next_level():
  image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
  exact = image.astype(np.float64)
  for resolution in (16, 8, 4):
    exact = sum(exact[i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4
    np.testing.assert_array_equal(
      images.box_average(image, resolution), np.floor(exact + 0.5)
    )


def test_box_average_at_full_resolution_changes_nothing():
  image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
  np.testing.assert_array_equal(images.box_average(image, 4), image)


def test_to_square_takes_the_centre():
  wide = np.zeros((2, 6), np.uint8)
  wide[:, 2:4] = [[1, 2], [3, 4]]
  square = images.to_square(PIL.Image.fromarray(wide), 2)
  np.testing.assert_array_equal(square[..., 0], [[1, 2], [3, 4]])
  tall = images.to_square(PIL.Image.fromarray(wide.T), 2)
  np.testing.assert_array_equal(tall[..., 0], [[1, 3], [2, 4]])


def test_to_square_averages_areas_when_it_shrinks():
  grey = np.kron([[10, 20], [30, 40]], np.ones((3, 3))).astype(np.uint8)
  grey[0, 0] += 9
  square = images.to_square(PIL.Image.fromarray(grey), 2)
  np.testing.assert_array_equal(square[..., 0], [[11, 20], [30, 40]])


def test_to_square_enlarges():
  square = images.to_square(PIL.Image.new('RGB', (3, 5), (9, 8, 7)), 8)
  assert square.shape == (8, 8, 3)
  np.testing.assert_array_equal(square[0, 0], [9, 8, 7])


def test_grey_becomes_rgb_and_rgb_grey(tmp_path):
  grey = _saved(tmp_path, PIL.Image.new('L', (2, 2), 77))
  np.testing.assert_array_equal(_read(grey), np.full((2, 2, 3), 77))
  red = _saved(tmp_path, PIL.Image.new('RGB', (2, 2), (255, 0, 0)))
  np.testing.assert_array_equal(_read(red, 1), np.full((2, 2), 76))


def test_transparent_pixels_show_white(tmp_path):
  image = PIL.Image.new('RGBA', (2, 1), (200, 100, 0, 255))
  image.putpixel((1, 0), (200, 100, 0, 0))
  path = _saved(tmp_path, image)
  np.testing.assert_array_equal(_read(path), [[[200, 100, 0], [255] * 3]])
  np.testing.assert_array_equal(_read(path, 1)[0, 1], 255)


def test_a_palette_with_a_transparent_colour(tmp_path):
  image = PIL.Image.new('P', (2, 1))
  image.putpalette([10, 20, 30, 40, 50, 60])
  image.putpixel((1, 0), 1)
  path = _saved(tmp_path, image, transparency=1)
  np.testing.assert_array_equal(_read(path), [[[10, 20, 30], [255] * 3]])


def test_sixteen_bit_grey_is_scaled(tmp_path):
  values = np.array([[0, 128, 129, 257, 32896, 65535]], np.uint16)
  path = _saved(tmp_path, PIL.Image.fromarray(values))
  np.testing.assert_array_equal(_read(path, 1), [[0, 0, 1, 1, 128, 255]])
  assert _read(path).shape == (1, 6, 3)


def test_cmyk(tmp_path):
  image = PIL.Image.new('CMYK', (8, 8), (0, 255, 255, 0))
  path = _saved(tmp_path, image, 'red.jpg', quality=100)
  np.testing.assert_allclose(_read(path)[4, 4], [255, 0, 0], atol=3)


def test_exif_orientation_is_applied(tmp_path):
  image = PIL.Image.new('RGB', (4, 2), 'white')
  image.putpixel((0, 0), (0, 0, 0))
  exif = PIL.Image.Exif()
  exif[0x0112] = 6  # turn 90 degrees clockwise to show
  turned = _read(_saved(tmp_path, image, exif=exif))
  assert turned.shape == (4, 2, 3)
  np.testing.assert_array_equal(turned[0, 1], [0, 0, 0])


def _png_bytes():
  noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
  file = io.BytesIO()
  PIL.Image.fromarray(noise).save(file, 'png')
  return file.getvalue()


@pytest.mark.parametrize(
  'content', [b'', b'text', _png_bytes()[:2000], b'\x89PNG\r\n\x1a\n' * 9]
)
def test_a_broken_file_is_refused_by_name(tmp_path, content):
  path = tmp_path / 'broken.png'
  path.write_bytes(content)
  with pytest.raises(UserError, match=r'cannot read .*broken\.png') as caught:
    decoding.read_image(path, 3)
  assert '\n' not in str(caught.value)


def test_floating_point_pixels_are_refused(tmp_path):
  path = _saved(tmp_path, PIL.Image.new('F', (4, 4)), 'depth.tiff')
  with pytest.raises(UserError, match=r'depth\.tiff: floating-point'):
    decoding.read_image(path, 3)


@pytest.mark.skipif(not (SHARED / 'faces128').is_dir(), reason='no faces here')
def test_a_real_photograph():
  path = SHARED / 'faces128' / '00000.png'
  square = images.to_square(decoding.read_image(path, 3), 128)
  np.testing.assert_array_equal(square, np.asarray(PIL.Image.open(path)))


def save(tmp_path, kind, **options):
  path = tmp_path / 'image'
  pixels = np.zeros((20, 20, 3), np.uint8)
  PIL.Image.fromarray(pixels).save(path, kind, **options)
  return path


def test_pillow_says_nothing_beside_the_refusal(tmp_path, caplog):
  path = save(tmp_path, 'TIFF')
  samples = struct.pack('<HHIH', 277, 3, 1, 3)
  content = path.read_bytes()
  assert samples in content
  path.write_bytes(
    content.replace(samples, struct.pack('<HHIH', 277, 3, 1, 5123))
  )
  with pytest.raises(UserError, match='cannot read'):
    decoding.read_image(path, 3)
  assert not caplog.records


def test_damage_of_any_kind_is_refused(tmp_path):
  """Bytes of the orientation, which Pillow would write anew."""
  exif = PIL.Image.Exif()
  exif[0x0112], exif[0x010E] = 6, 'hello'
  path = save(tmp_path, 'JPEG', exif=exif)
  content, rng = path.read_bytes(), np.random.default_rng(0)
  start = content.index(b'Exif')
  for _ in range(300):
    damaged = bytearray(content)
    for place in rng.integers(start, start + 60, 3):
      damaged[place] = rng.integers(256)
    path.write_bytes(damaged)
    with contextlib.suppress(UserError):
      decoding.read_image(path, 3)


def encoded(image, kind, **options):
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


def noise(mode='RGB', side=64):
  rng = np.random.default_rng(0)
  channels = {'RGB': 3, 'RGBA': 4, 'CMYK': 4, 'L': 1}[mode]
  pixels = rng.integers(0, 256, (side, side, channels), np.uint8)
  return PIL.Image.frombytes(mode, (side, side), pixels.tobytes())


def png_claiming(width, height):
  """A PNG's header and nothing else to speak of."""
  ihdr = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)

  def chunk(kind, content):
    crc = zlib.crc32(kind + content)
    return (
      struct.pack('>I', len(content)) + kind + content + struct.pack('>I', crc)
    )

  pixels = zlib.compress(bytes(1000))
  return (
    b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', ihdr) + chunk(b'IDAT', pixels)
    + chunk(b'IEND', b'')
  )  # fmt: skip


KINDS = {
  'png': {}, 'jpeg': {}, 'webp': {}, 'gif': {}, 'bmp': {}, 'tiff': {},
  'avif': {}, 'jpeg2000': {}, 'ppm': {}, 'tga': {}, 'heif': {},
}  # fmt: skip


def encoded_as(kind):
  if kind == 'heif':
    pillow_heif = pytest.importorskip('pillow_heif')
    pillow_heif.register_heif_opener()
  return encoded(noise(), kind, **KINDS[kind])


@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_of_file_is_read(kind):
  content = encoded_as(kind)
  assert decoding.size_of(content) == (64, 64)
  decoded = np.asarray(decoding.decode(content, 3).image)
  assert decoded.shape == (64, 64, 3)
  assert decoding.decode(content, 1).image.size == (64, 64)
  if kind != 'tga':  # which has no mark of its own
    assert decoding.looks_like_image(content[:32])


@pytest.mark.parametrize('kind', ['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif'])
def test_a_file_cut_short_is_never_filled_up(kind):
  content = encoded_as(kind)
  for share in (0.05, 0.3, 0.6, 0.9):
    with pytest.raises(base.BadImage):
      decoding.decode(content[: int(len(content) * share)], 3)


@pytest.mark.parametrize('kind', KINDS)
def test_flipped_bits_give_an_image_or_a_reason(kind):
  content, rng = encoded_as(kind), np.random.default_rng(1)
  for _ in range(80):
    damaged = bytearray(content)
    for place in rng.integers(0, min(len(content), 400), 3):
      damaged[place] ^= 1 << int(rng.integers(8))
    try:
      assert decoding.decode(bytes(damaged), 3).image.mode == 'RGB'
    except base.BadImage as error:
      assert 0 < len(str(error)) < 300
      assert '\n' not in str(error)


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
@pytest.mark.parametrize(
  ('raw', 'message'),
  [
    (b'', 'it is empty'),
    (b'text', 'it is not an image'),
    (b'BLP2' + bytes(range(256)), None),
    (b'BLP1' + b'\xff' * 200, None),
    (b'\0\0\0 ftypavif' + bytes(200), None),
    (b'GIF89a' + bytes(20), None),
    (b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'it is not an image'),
    (b'%PDF-1.4', None),
    (png_claiming(50_000, 50_000), 'it claims more than 134,217,728 pixels'),
    (png_claiming(13_000, 11_000), 'it claims 13,000 x 11,000 pixels'),
    (png_claiming(0, 10), None),
    (png_claiming(2**31 - 1, 2**31 - 1), 'pixels'),
    (np.zeros((4, 4), np.uint8), r'shape \(4, 4\) is no image'),
    (np.zeros((4, 4, 2), np.uint8), r'shape \(4, 4, 2\) is no image'),
    (np.zeros((0, 4, 3), np.uint8), r'shape \(0, 4, 3\) is no image'),
    (np.zeros((4, 4, 3), np.float32), 'outside 0..65535'),
    (np.full((4, 4, 3), -1, np.int32), 'outside 0..65535'),
  ],
)
def test_what_is_no_image_gives_a_reason(raw, message):
  with pytest.raises(base.BadImage, match=message) as caught:
    decoding.decode(raw, 3)
  assert '\n' not in str(caught.value)


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
def test_a_bomb_takes_no_memory():
  tracemalloc.start()
  for width in (12_000, 30_000):
    with pytest.raises(base.BadImage):
      decoding.decode(png_claiming(width, width), 3)
  assert tracemalloc.get_traced_memory()[1] < 4 << 20
  tracemalloc.stop()


@pytest.mark.parametrize('channels', [3, 4])
def test_sixteen_bit_colours_are_rounded_and_not_cut(channels):
  """Pillow would drop the low byte: 255 for 65,407, which is 254.5."""
  values = np.array([0, 128, 129, 32_768, 65_407, 65_535], np.uint16)
  pixels = np.repeat(values[None, :, None], channels, axis=2)
  pixels[..., 3:] = 65_535
  content = cv2.imencode('.png', pixels)[1].tobytes()
  decoded = decoding.decode(content, 3)
  assert decoded.deepest == 65_535
  wanted = np.floor(values / 257 + 0.5)
  np.testing.assert_array_equal(np.asarray(decoded.image)[0, :, 1], wanted)


def test_twelve_bits_in_sixteen_are_told_and_spread():
  values = np.array([[0, 8, 9, 2048, 4095, 5000]], np.uint16)
  content = encoded(PIL.Image.fromarray(values), 'png')
  assert decoding.decode(content, 1).deepest == 5000
  spread = np.asarray(decoding.decode(content, 1, (0, 4095)).image)
  np.testing.assert_array_equal(spread, [[0, 0, 1, 128, 255, 255]])
  above = np.asarray(decoding.decode(content, 1, (9, 2048)).image)
  np.testing.assert_array_equal(above, [[0, 0, 0, 255, 255, 255]])


@pytest.mark.parametrize('orientation', range(1, 9))
def test_every_orientation_is_turned_upright(orientation):
  """Against numpy's turns of the stored pixels."""
  stored = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
  exif = PIL.Image.Exif()
  exif[0x0112] = orientation
  content = encoded(PIL.Image.fromarray(stored), 'png', exif=exif)
  upright = {
    1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1],
    5: stored.T, 6: np.rot90(stored, -1), 7: stored[::-1, ::-1].T,
    8: np.rot90(stored),
  }[orientation]  # fmt: skip
  decoded = decoding.decode(content, 1).image
  np.testing.assert_array_equal(np.asarray(decoded), upright)
  assert decoding.size_of(content) == (3, 2)  # as stored


def test_odd_modes_become_rgb():
  for image in (
    noise('CMYK'), noise().convert('P'), noise().convert('1'),
    noise().convert('YCbCr'), noise('L').convert('LA'),
  ):  # fmt: skip
    kind = 'tiff' if image.mode in ('CMYK', 'YCbCr') else 'png'
    assert decoding.decode(encoded(image, kind), 3).image.mode == 'RGB'


def test_of_an_animation_the_first_frame_counts():
  frames = [PIL.Image.new('RGB', (8, 8), (c, 0, 0)) for c in (200, 10)]
  for kind in ('gif', 'webp', 'png'):
    content = encoded(
      frames[0], kind, save_all=True, append_images=frames[1:], lossless=True
    )
    assert np.asarray(decoding.decode(content, 3).image)[0, 0, 0] == 200


def test_padding_keeps_the_whole_image_in_the_middle():
  wide = np.full((2, 4), 200, np.uint8)
  square = images.to_square(PIL.Image.fromarray(wide), 4, 'pad')[..., 0]
  np.testing.assert_array_equal(square[[0, 3]], 0)
  np.testing.assert_array_equal(square[1:3], 200)
  thin = PIL.Image.new('L', (1000, 1), 9)
  assert images.to_square(thin, 8, 'pad').shape == (8, 8, 1)


def test_stretching_takes_the_whole_image():
  wide = np.array([[1, 1, 9, 9], [1, 1, 9, 9]], np.uint8)
  square = images.to_square(PIL.Image.fromarray(wide), 2, 'stretch')[..., 0]
  np.testing.assert_array_equal(square, [[1, 9], [1, 9]])


def test_a_window_by_its_first_row_and_column():
  pixels = np.arange(20, dtype=np.uint8).reshape(4, 5)
  image = PIL.Image.fromarray(pixels)
  np.testing.assert_array_equal(
    np.asarray(images.window(image, 1, 2, 3)), pixels[1:4, 2:5]
  )
  for place in ((2, 2, 3), (1, 3, 3)):
    with pytest.raises(base.BadImage, match='5x4 does not hold the 3x3'):
      images.window(image, *place)


@pytest.mark.parametrize('channels', [1, 3])
def test_the_pyramid_is_the_box_average_of_each(channels):
  image = np.random.default_rng(0).integers(
    0, 256, (256, 256, channels), np.uint8
  )
  image[:128] = 255  # where sums are largest
  resolutions = (256, 128, 64, 32, 16, 8, 4)
  for some in (resolutions, (64, 4), (8,)):
    found = images.pyramid(image, some)
    assert set(found) == set(some)
    for resolution in some:
      np.testing.assert_array_equal(
        found[resolution], images.box_average(image, resolution)
      )


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('side', [1, 4, 64])
def test_png_gives_back_what_went_in(side, channels):
  """As Pillow reads it, and the same bytes each time."""
  image = np.random.default_rng(0).integers(
    0, 256, (side, side, channels), np.uint8
  )
  image[side // 2 :] = np.arange(channels)
  content = images.encode_png(image)
  with PIL.Image.open(io.BytesIO(content)) as read:
    assert read.mode == ('RGB' if channels == 3 else 'L')
    np.testing.assert_array_equal(np.asarray(read).reshape(image.shape), image)
  assert images.encode_png(image.copy()) == content


def test_png_is_small_where_rows_are_alike():
  """One filter for all rows would take eight times as much."""
  tiles = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
  image = tiles.repeat(32, axis=0).repeat(32, axis=1)
  assert len(images.encode_png(image)) < image.size / 100
