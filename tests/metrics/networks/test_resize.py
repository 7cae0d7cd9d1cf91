"""TensorFlow 1's resize, by hand and against a plain loop."""

import numpy as np
import pytest

from alae_jax.metrics.networks.resize import resize_tf1


def by_loops(image, side):
  """Pixel (i, j) lies at (i · H / side, j · W / side); float64."""
  height, width, _ = image.shape
  out = np.zeros((side, side, image.shape[2]))
  for i in range(side):
    for j in range(side):
      y, x = i * height / side, j * width / side
      top, left = int(y), int(x)
      bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
      dy, dx = y - top, x - left
      upper = image[top, left] * (1 - dx) + image[top, right] * dx
      lower = image[bottom, left] * (1 - dx) + image[bottom, right] * dx
      out[i, j] = upper * (1 - dy) + lower * dy
  return out


def test_twice_as_large_by_hand():
  """The last pixels repeat: there is nothing beyond the edge to mix in."""
  image = np.array([[0.0, 10.0], [20.0, 30.0]])[None, ..., None]
  wanted = [[0, 5, 10, 10], [10, 15, 20, 20], [20, 25, 30, 30],
            [20, 25, 30, 30]]  # fmt: skip
  np.testing.assert_allclose(resize_tf1(image, 4)[0, ..., 0], wanted)


def test_half_as_large_by_hand():
  """Every second pixel, and no averages."""
  image = np.arange(16.0).reshape(1, 4, 4, 1)
  np.testing.assert_allclose(resize_tf1(image, 2)[0, ..., 0], [[0, 2], [8, 10]])


@pytest.mark.parametrize(('height', 'width'), [(8, 8), (32, 20), (70, 64)])
def test_any_size_as_a_plain_loop_has_it(height, width):
  image = np.random.default_rng(0).uniform(0, 255, (1, height, width, 3))
  found = resize_tf1(image.astype(np.float32), 37)
  np.testing.assert_allclose(found[0], by_loops(image[0], 37), atol=2e-3)
