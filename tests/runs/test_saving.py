"""Checkpoints on a disk that fills."""

import os

import numpy as np
import pytest
from etils import epath

from alae_jax.runs.checkpoint import Checkpoints
from alae_jax.runs.saving import UnsavedError
from tests.support.example_runs import make_state
from tests.support.full_disk import room
from tests.support.runs import make_tiny_config


# pytest listens in the place of runs.saving.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
@pytest.mark.parametrize('size', [1000, 10_000])
def test_what_does_not_fit_leaves_the_earlier_ones(tmp_path, capfd, size):
  state = make_state(make_tiny_config())
  checkpoints = Checkpoints(epath.Path(tmp_path), keep_last=9)
  checkpoints.save(state, 16)
  checkpoints.wait()
  with room(size), pytest.raises(UnsavedError) as caught:
    checkpoints.save(state, 32)
    checkpoints.wait()
  assert caught.value.filename == str(tmp_path)
  assert caught.value.strerror.startswith('a checkpoint is not saved: ')
  assert 'Traceback' not in capfd.readouterr().err
  assert os.listdir(tmp_path) == ['16']
  checkpoints.close()
  again = Checkpoints(epath.Path(tmp_path), keep_last=9)
  assert again.latest() == 16
  again.save(state, 32)
  again.wait()
  restored = again.restore(32, state)
  np.testing.assert_array_equal(restored.mean_w, state.mean_w)
  again.close()
