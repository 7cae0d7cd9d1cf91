"""How close a picture comes to its original: PSNR and SSIM."""

import numpy as np
from scipy.ndimage import gaussian_filter

_PEAK = 255.0
_SIGMA = 1.5
_RADIUS = 5  # an 11x11 window


def mean_squared_error(
  originals: np.ndarray, results: np.ndarray
) -> np.ndarray:
  """Of each image, its pixels taken as [0, 1].

  Args:
    originals: uint8 [N, H, W, C].
    results: the same shape.

  Returns:
    [N], float64, in [0, 1].
  """
  error = originals.astype(np.float64) - results
  return np.square(error / _PEAK).mean((1, 2, 3))


def psnr(originals: np.ndarray, results: np.ndarray) -> np.ndarray:
  """-10 log10(mean squared error) of each image, in dB.

  Args:
    originals: uint8 [N, H, W, C].
    results: the same shape.

  Returns:
    [N], float64; infinite where nothing differs.
  """
  with np.errstate(divide='ignore'):
    return -10 * np.log10(mean_squared_error(originals, results))


def ssim(originals: np.ndarray, results: np.ndarray) -> np.ndarray:
  """Structural similarity (Wang et al. 2004) of each image, in [-1, 1].

  An 11x11 Gaussian window with sigma 1.5, K1 = 0.01, K2 = 0.03, population
  covariances; the mean over channels and over the pixels whose window lies
  inside the image. Where the image is smaller than the window, it is mirrored
  at its edges and every pixel counts.

  Args:
    originals: uint8 [N, H, W, C].
    results: the same shape.

  Returns:
    [N], float64.
  """
  x, y = originals.astype(np.float64), results.astype(np.float64)
  mean_x, mean_y = _blur(x), _blur(y)
  variance_x = _blur(x * x) - mean_x**2
  variance_y = _blur(y * y) - mean_y**2
  covariance = _blur(x * y) - mean_x * mean_y
  c1, c2 = (0.01 * _PEAK) ** 2, (0.03 * _PEAK) ** 2
  similarity = (
    (2 * mean_x * mean_y + c1)
    * (2 * covariance + c2)
    / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))
  )
  return _inside(similarity).mean((1, 2, 3))


def _blur(x: np.ndarray) -> np.ndarray:
  return gaussian_filter(x, _SIGMA, radius=_RADIUS, axes=(1, 2))


def _inside(x: np.ndarray) -> np.ndarray:
  """The pixels whose window lies inside; all where there are none."""
  if min(x.shape[1:3]) <= 2 * _RADIUS:
    return x
  return x[:, _RADIUS:-_RADIUS, _RADIUS:-_RADIUS]
