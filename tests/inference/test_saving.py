"""`save_images` and `show`: which picture comes of which array."""

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


def shown(*args, **kwargs):
  picture = alae_jax.show(*args, **kwargs)
  assert picture._repr_png_()  # as a notebook shows it
  return np.asarray(picture)


@pytest.mark.parametrize('count', [2, 5])
def test_what_is_shown_is_what_is_saved(tmp_path, count):
  images = np.random.default_rng(0).uniform(-1.2, 1.2, (count, 8, 8, 3))
  alae_jax.save_images(images, tmp_path / 'x.png')
  np.testing.assert_array_equal(shown(images), pixels(tmp_path / 'x.png'))


def test_one_image_is_shown_large_and_not_too_large():
  image = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
  for one in (image, image[None]):
    picture = shown(one)
    assert picture.shape == (256, 256)
    np.testing.assert_array_equal(picture[::32, ::32], image[..., 0])
  assert shown(np.zeros((300, 300, 3), np.uint8)).shape == (300, 300, 3)
  assert shown(np.zeros((5000, 10, 3), np.uint8)).shape[0] == 2048


def test_images_of_a_model_that_has_learned_little_are_clipped():
  picture = shown(
    np.float32([-20, 20])[:, None, None, None] + np.zeros((2, 8, 8, 1))
  )
  assert (picture[30, 30], picture[30, 96]) == (0, 255)


def test_columns_and_labels_are_as_asked_for():
  images = np.zeros((3, 8, 8, 1), np.uint8)
  assert shown(images, columns=3).shape == (68, 3 * 66 + 2)
  assert shown(images, columns=9).shape == (68, 3 * 66 + 2)
  labelled = shown(images, labels=np.float32([0, 0.5, 1]), columns=1)
  assert labelled.shape[1] == 68
  assert labelled.shape[0] > 3 * 66 + 2
  assert len(np.unique(labelled[:10])) > 2  # letters on grey
  assert shown(images[0], labels=['one']).shape[1] == 68


@pytest.mark.parametrize(
  ('images', 'given', 'said'),
  [
    (np.zeros((2, 8, 8, 4)), {}, r'images have shape \[2, 8, 8, 4\]'),
    (np.zeros((2, 8, 8, 1)), {'labels': ['a']}, 'labels are 1 and images 2'),
    (np.zeros((1, 8, 9, 1)), {'labels': ['a']}, 'images are 8x9'),
    (np.zeros((2, 8, 8, 1)), {'columns': -1}, 'columns is -1'),
    (np.zeros((2, 8, 8, 1)), {'columns': 1.5}, 'columns is 1.5'),
  ],
)
def test_what_cannot_be_shown_is_refused(images, given, said):
  with pytest.raises(ValueError, match=said):
    alae_jax.show(images, **given)


def test_a_file_in_the_way_is_told(tmp_path):
  (tmp_path / 'file').touch()
  with pytest.raises(UserError, match='file'):
    alae_jax.save_images(np.zeros((8, 8, 1)), tmp_path / 'file' / 'x.png')


def test_the_package_lists_what_it_has():
  listed = {'Model', 'load', 'plot', 'save_images', 'show', 'train'}
  assert listed | {'__version__', 'read_config'} <= set(dir(alae_jax))
  assert all(getattr(alae_jax, name) for name in listed)
