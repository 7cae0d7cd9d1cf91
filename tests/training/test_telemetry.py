"""What a run tells where its files are strange or can't be written."""

import pytest
from etils import epath

from alae_jax.runs.folder import RunFolder
from alae_jax.runs.schedule import Segment
from alae_jax.training.telemetry import Telemetry
from tests.support.full_disk import room

SCHEDULE = (Segment(0, 0, 96, 16, 0.1),)


@pytest.fixture
def folder(tmp_path):
  return RunFolder(epath.Path(tmp_path))


def test_strange_lines_are_told_once_and_stay(folder, capsys):
  content = '3\n{"images_seen": 16}\n' + 'null\n' * 11
  folder.metrics.write_text(content)
  with Telemetry(folder, SCHEDULE, 16):
    pass
  numbers = '1, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more'
  told = f'{folder.metrics}: no record in line {numbers}: skipped'
  assert capsys.readouterr().out.count(told) == 1
  assert told in folder.log.read_text()
  assert folder.metrics.read_text() == content


def test_a_log_that_cannot_grow_is_told_once(folder, capsys):
  with Telemetry(folder, SCHEDULE, 0) as telemetry, room(120):
    for i in range(5):
      telemetry.say(f'line {i}: ' + 'x' * 40)
  printed = capsys.readouterr()
  assert printed.out.count('it will lack lines') == 1
  assert all(f'line {i}: ' in printed.out for i in range(5))
  assert 'Traceback' not in printed.err
  assert folder.log.read_text().count('line') == folder.log.read_text().count(
    '\n'
  )
