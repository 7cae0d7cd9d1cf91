"""Event files, read back by TensorBoard itself."""

import io
import subprocess
import sys

import numpy as np
from etils import epath
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator

from alae_jax.training import board as board_lib
from alae_jax.training.board import Board


def read(folder):
  events = event_accumulator.EventAccumulator(str(folder))
  events.Reload()
  return events


def test_tensorboard_reads_curves_and_pictures(tmp_path):
  grey = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
  colour = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
  board = Board(epath.Path(tmp_path), 0)
  board.add_scalars({'loss_latent': 0.25, 'blend': 1.0}, 64)
  board.add_scalars({'loss_latent': 0.125}, 128)
  board.add_picture('samples', grey, 128)
  board.add_picture('reconstructions', colour, 128)
  events = read(tmp_path)
  assert [(e.step, e.value) for e in events.Scalars('loss_latent')] == [
    (64, 0.25),
    (128, 0.125),
  ]
  for name, image in (('samples', grey[..., 0]), ('reconstructions', colour)):
    (event,) = events.Images(name)
    assert (event.step, event.width, event.height) == (128, 4, 3)
    with Image.open(io.BytesIO(event.encoded_image_string)) as picture:
      np.testing.assert_array_equal(np.asarray(picture), image)


def test_what_will_be_trained_again_is_not_shown_twice(tmp_path, monkeypatch):
  times = iter(range(1000, 2000))
  monkeypatch.setattr(board_lib.time, 'time', lambda: float(next(times)))
  killed = Board(epath.Path(tmp_path), 0)
  for images_seen in (32, 64, 96):
    killed.add_scalars({'loss_latent': 1.0}, images_seen)
  resumed = Board(epath.Path(tmp_path), 64)
  resumed.add_scalars({'loss_latent': 2.0}, 96)
  values = [(e.step, e.value) for e in read(tmp_path).Scalars('loss_latent')]
  assert values == [(32, 1.0), (64, 1.0), (96, 2.0)]


def test_a_folder_that_takes_nothing_costs_the_curves_alone(tmp_path, caplog):
  board = Board(epath.Path(tmp_path) / 'missing', 0)
  for images_seen in (32, 64):
    board.add_scalars({'loss_latent': 1.0}, images_seen)
  assert len(caplog.records) == 1
  assert 'no more curves' in caplog.text


def test_it_needs_no_torch():
  done = subprocess.run(
    [
      sys.executable,
      '-c',
      'import sys, alae_jax.training.loop; '
      'print({"torch", "tensorflow"} & set(sys.modules))',
    ],
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stdout.strip() == 'set()'
