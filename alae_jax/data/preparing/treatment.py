"""How a raw image becomes one of a dataset's: a square of one size."""

import dataclasses

import numpy as np

from alae_jax.data import decoding, images
from alae_jax.data.sources import base


@dataclasses.dataclass(frozen=True)
class Treatment:
  """Raw image -> uint8 [resolution, resolution, channels].

  Attributes:
    resolution: the side wanted.
    channels: 3 (RGB) or 1 (grey).
    fit: what becomes of an image that is not square; see images.to_square.
    window: cut out this square first: its top row, left column and side, in
      pixels.
    native: the side that every image must have, where the dataset's images
      have one; a larger resolution is padded with black.
    enlarge: whether an image smaller than the resolution is enlarged; else
      it is a bad one.
    depth_range: the 16-bit values that become 0 and 255; None: 0 and 65535.
  """

  resolution: int
  channels: int
  fit: str = 'crop'
  window: tuple[int, int, int] | None = None
  native: int | None = None
  enlarge: bool = False
  depth_range: tuple[int, int] | None = None

  def apply(self, raw: base.Raw) -> tuple[np.ndarray, int]:
    """Treats one image.

    Returns:
      The square, and the image's largest 16-bit value; 0 if it has none.

    Raises:
      base.BadImage: it can't be read, or is too small.
    """
    decoded = decoding.decode(raw, self.channels, self.depth_range)
    image = decoded.image
    if self.window:
      image = images.window(image, *self.window)
    self._require_size(*image.size)
    if self.native:
      around = ((self.resolution - self.native) // 2,) * 2
      pixels = np.asarray(image).reshape(self.native, self.native, -1)
      square = np.pad(pixels, (around, around, (0, 0)))
    else:
      square = images.to_square(image, self.resolution, self.fit)
    return square, decoded.deepest

  def _require_size(self, width: int, height: int) -> None:
    if self.native and (width, height) != (self.native, self.native):
      raise base.BadImage(
        f'it is {width}x{height}, not {self.native}x{self.native}'
      )
    counts = max(width, height) if self.fit == 'pad' else min(width, height)
    side = self.native or self.resolution
    if counts < side and not self.enlarge:
      raise base.BadImage(f'{width}x{height} is smaller than {side}x{side}')
