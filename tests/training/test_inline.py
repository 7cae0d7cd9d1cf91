"""Pictures in the output of a notebook's cell."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from alae_jax import progress
from alae_jax.training.inline import Inline


@pytest.fixture
def shown(monkeypatch):
  """What stands in each place, in order."""
  places = {}

  def show(place, text, html=None):
    places[place] = text, html

  monkeypatch.setattr(progress.Place, 'show', show)
  return places


def test_the_newest_picture_of_each_kind_is_shown(shown):
  inline, image = Inline(), np.zeros((2000, 30, 1), np.uint8)
  for images_seen in (0, 5000):
    image[:] = images_seen // 20
    for name in ('samples', 'reconstructions'):
      inline.show(name, image, images_seen)
  samples, reconstructions = shown.values()
  assert reconstructions[0] == 'reconstructions after 5,000 images'
  (content,) = re.findall('src="data:image/png;base64,(.*)"', samples[1])
  with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
    assert picture.size == (15, 1024)
    assert picture.getpixel((0, 0)) == 250
