"""`alae_jax.save_images`: which picture comes of which array."""

import numpy as np
import pytest
from jax import numpy as jnp

import alae_jax
from alae_jax.errors import UserError
from tests.support.verbs import names, pixels


def test_one_image_is_saved_pixel_by_pixel(tmp_path):
  image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
  for i, one in enumerate([image, image[None]]):
    alae_jax.save_images(one, tmp_path / 'new' / f'{i}.png')
    np.testing.assert_array_equal(pixels(tmp_path / 'new' / f'{i}.png'), image)
  alae_jax.save_images(image[..., :1], tmp_path / 'grey.PNG')
  np.testing.assert_array_equal(pixels(tmp_path / 'grey.PNG'), image[..., 0])


@pytest.mark.parametrize('array', [np.asarray, jnp.asarray, np.ndarray.tolist])
def test_floats_are_clipped_and_several_are_a_grid(tmp_path, array):
  images = np.float32([-1.5, 0, 1, 1.2, 0.5])[:, None, None, None]
  images = np.broadcast_to(images, (5, 8, 8, 1))
  alae_jax.save_images(array(images), str(tmp_path / 'x.png'))
  assert names(tmp_path) == {'x.png'}
  grid = pixels(tmp_path / 'x.png')
  assert grid.shape == (2 * 66 + 2, 3 * 66 + 2)
  corners = [
    grid[2 + 66 * row, 2 + 66 * column] for row, column in np.ndindex(2, 3)
  ]
  assert corners == [0, 128, 255, 255, 191, 96]


@pytest.mark.parametrize(
  ('images', 'name', 'said'),
  [
    (np.zeros((8, 8)), 'x.png', r'images have shape \[8, 8\]'),
    (np.zeros((2, 8, 8, 4)), 'x.png', r'images have shape \[2, 8, 8, 4\]'),
    (np.zeros((0, 8, 8, 1)), 'x.png', r'images have shape \[0, 8, 8, 1\]'),
    (np.full((8, 8, 1), 200.0), 'x.png', 'reach from 200 to 200'),
    (np.full((8, 8, 1), np.nan), 'x.png', r'must be in \[-1, 1\]'),
    (np.zeros((8, 8, 1), int), 'x.png', 'images are int64'),
    (np.zeros((8, 8, 1)), 'x.jpg', r'must end in \.png'),
    (np.zeros((8, 8, 1)), 'png', r'must end in \.png'),
  ],
)
def test_what_is_no_picture_is_refused(tmp_path, images, name, said):
  with pytest.raises(ValueError, match=said):
    alae_jax.save_images(images, tmp_path / 'new' / name)
  assert not names(tmp_path)


def test_a_file_in_the_way_is_told(tmp_path):
  (tmp_path / 'file').touch()
  with pytest.raises(UserError, match='file'):
    alae_jax.save_images(np.zeros((8, 8, 1)), tmp_path / 'file' / 'x.png')


def test_the_package_lists_what_it_has():
  listed = {'Model', 'load', 'save_images', '__version__'}
  assert listed <= set(dir(alae_jax))
  assert all(getattr(alae_jax, name) for name in listed)
