"""`alae_jax.plot`: what `alae plot` draws, as a picture."""

import io

import numpy as np
import pytest
from PIL import Image

import alae_jax
from alae_jax.errors import UserError
from alae_jax.inference import plotting
from tests.support.curves import training, write_records
from tests.support.verbs import alae, pixels


@pytest.fixture
def runs(tmp_path):
  for name in ('one', 'other'):
    write_records(tmp_path / name, [training(seen) for seen in (16, 32)])
  return tmp_path / 'one', tmp_path / 'other'


def test_the_picture_is_the_one_of_the_command(runs, tmp_path):
  words = 'plot', *runs, '--metrics', 'loss', '--out', tmp_path / 'x.png'
  alae(*words)
  picture = alae_jax.plot(runs[0], str(runs[1]), metrics='loss')
  np.testing.assert_array_equal(np.asarray(picture), pixels(tmp_path / 'x.png'))
  with Image.open(io.BytesIO(picture._repr_png_())) as shown:
    assert shown.size == picture.size


def test_mistakes_are_told_without_flags(runs):
  for metrics in ('kid', ','):
    with pytest.raises(UserError, match=f"^metrics '{metrics}'"):
      alae_jax.plot(runs[0], metrics=metrics)
  with pytest.raises(UserError, match='is the same run as'):
    plotting.draw([str(runs[0])] * 2, None, 'png')
