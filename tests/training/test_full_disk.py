"""A run whose disk fills says what is saved, and goes on with more room."""

import contextlib
import os
import re

import pytest

from alae_jax.errors import exit_status
from alae_jax.training import loop
from tests.support.full_disk import room
from tests.support.runs import final_state, stop_after


# pytest listens in the place of runs.saving.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
@pytest.mark.parametrize(
  ('filled', 'said'),
  [
    (16, 'nothing is saved yet, so the same command begins anew'),
    (80, 'until (32|64) images, and the same command goes on from there'),
  ],
)
def test_a_run_on_a_full_disk_tells_how_to_go_on(
  tiny_config, tmp_path, monkeypatch, capsys, filled, said
):
  with monkeypatch.context() as patch, contextlib.ExitStack() as stack:
    stop_after(patch, filled, lambda: stack.enter_context(room(1500)))
    status = exit_status(lambda: loop.train(tiny_config, str(tmp_path)))
  assert status == 1
  printed = capsys.readouterr().err
  told = [line for line in printed.splitlines() if line.startswith('alae: ')]
  assert len(told) == 1
  assert re.search(said, told[0])
  assert 'Traceback' not in printed
  assert not [name for name in os.listdir(tmp_path) if 'partial' in name]
  loop.train(tiny_config, str(tmp_path))
  assert final_state(tmp_path).images_seen == 96
