import contextlib
import io
import struct

import numpy as np
import PIL.Image
import pytest

from alae_jax.data import images
from alae_jax.errors import UserError
from tests.support.example_data import SHARED


def _saved(tmp_path, image, name='image.png', **options):
  path = tmp_path / name
  image.save(path, **options)
  return path


def _read(path, channels=3):
  return np.asarray(images.read_image(path, channels))


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
    images.read_image(path, 3)
  assert '\n' not in str(caught.value)


def test_floating_point_pixels_are_refused(tmp_path):
  path = _saved(tmp_path, PIL.Image.new('F', (4, 4)), 'depth.tiff')
  with pytest.raises(UserError, match=r'depth\.tiff: floating-point'):
    images.read_image(path, 3)


@pytest.mark.skipif(not (SHARED / 'faces128').is_dir(), reason='no faces here')
def test_a_real_photograph():
  path = SHARED / 'faces128' / '00000.png'
  square = images.to_square(images.read_image(path, 3), 128)
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
    images.read_image(path, 3)
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
      images.read_image(path, 3)
