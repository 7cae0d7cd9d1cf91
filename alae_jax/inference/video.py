"""Frames as a film: GIF with Pillow, MP4 with the extra `video`."""

import importlib.util
import io
import pathlib
import subprocess
import tempfile
from collections.abc import Sequence

import numpy as np
from PIL import Image

from alae_jax.errors import UserError


def there_and_back(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
  """A film that can be repeated without a jump: 1 2 3 -> 1 2 3 2."""
  return [*frames, *frames[-2:0:-1]]


def encode_gif(frames: Sequence[np.ndarray], rate: float) -> bytes:
  """An endless GIF.

  Args:
    frames: uint8 [H, W, 1 or 3], all of one shape.
    rate: frames a second; a GIF counts in hundredths of a second.
  """
  first, *rest = [Image.fromarray(_squeeze(frame)) for frame in frames]
  buffer = io.BytesIO()
  first.save(
    buffer,
    'GIF',
    save_all=True,
    append_images=rest,
    loop=0,
    duration=max(20, round(100 / rate) * 10),
  )
  return buffer.getvalue()


def require_video() -> None:
  """Refuses to go on without ffmpeg.

  Raises:
    UserError: says what to install.
  """
  if importlib.util.find_spec('imageio_ffmpeg') is None:
    raise UserError(
      "MP4 needs ffmpeg: pip install 'alae_jax[video]', or give another format"
    )


def encode_mp4(frames: Sequence[np.ndarray], rate: float) -> bytes:
  """An H.264 film that browsers play.

  Args:
    frames: uint8 [H, W, 1 or 3], all of one shape.
    rate: frames a second.

  Raises:
    UserError: ffmpeg is not there.
  """
  require_video()
  import imageio_ffmpeg

  frames = [_even_rgb(frame) for frame in frames]
  height, width, _ = frames[0].shape
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / 'film.mp4'
    # Not imageio_ffmpeg's own call: it forks, which JAX's threads don't bear.
    subprocess.run(
      [
        imageio_ffmpeg.get_ffmpeg_exe(),
        '-loglevel',
        'error',
        '-f',
        'rawvideo',
        '-pix_fmt',
        'rgb24',
        '-s',
        f'{width}x{height}',
        '-r',
        f'{rate:g}',
        '-i',
        '-',
        '-c:v',
        'libx264',
        '-crf',
        '16',
        '-pix_fmt',
        'yuv420p',
        str(path),
      ],
      input=b''.join(frame.tobytes() for frame in frames),
      check=True,
    )
    return path.read_bytes()


def _squeeze(image: np.ndarray) -> np.ndarray:
  """Pillow wants grey without a channel axis."""
  return image[..., 0] if image.shape[-1] == 1 else image


def _even_rgb(image: np.ndarray) -> np.ndarray:
  """RGB with even sides, as H.264 halves the colour's resolution."""
  image = np.broadcast_to(image, (*image.shape[:2], 3))
  odd = [(0, side % 2) for side in image.shape[:2]]
  return np.ascontiguousarray(np.pad(image, (*odd, (0, 0)), mode='edge'))
