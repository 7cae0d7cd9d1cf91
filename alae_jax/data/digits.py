"""scikit-learn's 1,797 handwritten digits, 8x8: real data without a download.

They come with the scikit-learn package, so examples and tests that use them
run anywhere, offline, in seconds.
"""

import numpy as np

TEST_IMAGES = 297
_WHITE = 16  # the data's brightest value


def load_digits(split: str) -> tuple[np.ndarray, np.ndarray]:
  """Returns the images and labels of one split.

  The split is fixed: the last 297 images are the test split. They were
  written by other people than the first 1,500, and each of the ten classes
  is between 27 and 33 of them (146 to 153 of the training images).

  Args:
    split: 'train' (1,500 images) or 'test' (297).

  Returns:
    uint8 [N, 8, 8, 1] in 0..255 and int64 [N] in 0..9.
  """
  from sklearn import datasets  # slow to import, and only needed here

  digits = datasets.load_digits()
  part = {
    'train': slice(None, -TEST_IMAGES),
    'test': slice(-TEST_IMAGES, None),
  }[split]
  images = _to_uint8(digits.images[part])[..., None]
  return images, digits.target[part].astype(np.int64)


def _to_uint8(images: np.ndarray) -> np.ndarray:
  """Maps 0..16 to 0..255, rounding halves up."""
  return np.floor(images * 255 / _WHITE + 0.5).astype(np.uint8)
