"""The newest pictures of a run where a notebook trains it."""

import base64

import numpy as np

from alae_jax import progress
from alae_jax.inference import pictures

# Of a side: a notebook keeps in its file what it shows.
_MOST_PIXELS = 1024


class Inline:
  """Pictures in the output of a cell, each in the place of the one before."""

  def __init__(self) -> None:
    self._places: dict[str, progress.Place] = {}

  def show(self, name: str, image: np.ndarray, images_seen: int) -> None:
    """Shows a picture uint8 [H, W, C], and says what it is."""
    picture = pictures.to_picture(image)
    picture.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
    content = base64.b64encode(pictures.encode(picture)).decode()
    said = f'{name} after {images_seen:,} images'
    place = self._places.setdefault(name, progress.Place())
    place.show(
      said,
      f'<figure style="margin: 8px 0"><figcaption>{said}</figcaption>'
      f'<img src="data:image/png;base64,{content}"></figure>',
    )
