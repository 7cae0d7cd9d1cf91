import numpy as np
import pytest

from alae_jax.metrics.similarity import psnr, ssim


def random_images(*shape):
  return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_psnr_by_hand():
  black = np.zeros((3, 4, 4, 1), np.uint8)
  other = black.copy()
  other[1] = 255  # everything wrong: 0 dB
  other[2, 0, 0, 0] = 102  # mean squared error 102^2 / 16
  np.testing.assert_allclose(
    psnr(black, other), [np.inf, 0, 20 * np.log10(255 * 4 / 102)]
  )


def test_ssim_of_flat_images_by_hand():
  one, other = (
    np.full((1, 16, 16, 3), value, np.uint8) for value in (100, 200)
  )
  c1 = 2.55**2
  expected = (2 * 100 * 200 + c1) / (100**2 + 200**2 + c1)
  np.testing.assert_allclose(ssim(one, other), [expected], rtol=1e-9)
  np.testing.assert_allclose(ssim(one, one), [1.0])


def test_ssim_is_the_papers_sum_over_windows():
  one, other = random_images(2, 1, 14, 13, 2)
  squares = np.square(np.arange(-5, 6))
  window = np.exp(-(squares[:, None] + squares) / (2 * 1.5**2))
  window = (window / window.sum())[..., None]
  values = []
  for top in range(4):
    for left in range(3):
      x, y = (
        image[0, top : top + 11, left : left + 11].astype(float)
        for image in (one, other)
      )
      mx, my = (window * x).sum((0, 1)), (window * y).sum((0, 1))
      vx = (window * (x - mx) ** 2).sum((0, 1))
      vy = (window * (y - my) ** 2).sum((0, 1))
      cov = (window * (x - mx) * (y - my)).sum((0, 1))
      values.append(
        (2 * mx * my + 2.55**2)
        * (2 * cov + 7.65**2)
        / ((mx**2 + my**2 + 2.55**2) * (vx + vy + 7.65**2))
      )
  np.testing.assert_allclose(ssim(one, other), [np.mean(values)], rtol=1e-9)


@pytest.mark.parametrize('side', [4, 10])
def test_ssim_of_images_smaller_than_the_window(side):
  images = random_images(2, side, side, 1)
  np.testing.assert_allclose(ssim(images, images), [1, 1])
  assert (ssim(images, images[::-1]) < 0.9).all()
