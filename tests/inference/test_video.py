import io

import numpy as np
import pytest
from PIL import Image

from alae_jax.errors import UserError
from alae_jax.inference import video


def frames(channels, count=4):
  return [np.full((7, 9, channels), 60 * i, np.uint8) for i in range(count)]


def test_there_and_back_ends_before_it_begins():
  assert video.there_and_back([1, 2, 3]) == [1, 2, 3, 2]
  assert video.there_and_back([1, 2]) == [1, 2]


@pytest.mark.parametrize('channels', [1, 3])
def test_gif_plays_every_frame(channels):
  with Image.open(io.BytesIO(video.encode_gif(frames(channels), 10))) as (film):
    assert (film.n_frames, film.size) == (4, (9, 7))
    assert film.info['loop'] == 0
    assert film.info['duration'] == 100
    film.seek(3)
    np.testing.assert_allclose(np.asarray(film.convert('L')), 180, atol=2)


@pytest.mark.parametrize('channels', [1, 3])
def test_mp4_plays_every_frame(channels, tmp_path):
  imageio_ffmpeg = pytest.importorskip('imageio_ffmpeg')
  path = tmp_path / 'film.mp4'
  path.write_bytes(video.encode_mp4(frames(channels), 10))
  reader = imageio_ffmpeg.count_frames_and_secs(str(path))
  assert reader == (4, pytest.approx(0.4, abs=0.05))


def test_mp4_without_ffmpeg_is_refused(monkeypatch):
  monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
  with pytest.raises(UserError, match=r"pip install 'alae_jax\[video\]'"):
    video.encode_mp4(frames(3), 10)
