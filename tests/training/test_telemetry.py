"""What a run tells where its files are strange or can't be written."""

import pytest
from etils import epath

from alae_jax.runs import records
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


class Clock:
  """A clock that a test sets."""

  def __init__(self):
    self.now = 100.0

  def monotonic(self):
    return self.now


def wait_and_work(telemetry, clock, images, waiting, working, files=True):
  """A window of the loop: waiting for data, then a step, then its numbers."""
  with telemetry.waiting(can_be_faster=files):
    clock.now += waiting
  clock.now += working
  telemetry.advance(images, 8)
  losses = dict.fromkeys(
    ('loss_discriminator', 'loss_generator', 'loss_latent'), 1.0
  )
  telemetry.write(images, {**losses, 'resolution': 8.0})


def test_waiting_for_data_is_measured_and_told_once(
  folder, capsys, monkeypatch
):
  clock = Clock()
  monkeypatch.setattr('alae_jax.training.telemetry.time', clock)
  with Telemetry(folder, SCHEDULE, 0) as telemetry:
    wait_and_work(telemetry, clock, 16, 4.0, 4.0)  # too short to judge by
    assert not folder.log.exists()
    wait_and_work(telemetry, clock, 32, 1.0, 7.0)
    wait_and_work(telemetry, clock, 48, 8.0, 0.0)
  shares = [r['data_wait'] for r in records.read(folder.metrics)]
  assert shares == [0.5, 0.125, 1.0]
  told = folder.log.read_text()
  assert told.count('of the time at 8x8 is spent waiting for data') == 1
  assert 'warning: 31% of the time' in told


def test_waiting_that_nobody_can_help_is_not_told(folder, monkeypatch):
  """From memory, in the first minute with the project."""
  clock = Clock()
  monkeypatch.setattr('alae_jax.training.telemetry.time', clock)
  with Telemetry(folder, SCHEDULE, 0) as telemetry:
    wait_and_work(telemetry, clock, 16, 10.0, 10.0, files=False)
    telemetry.say('done')
  assert 'waiting' not in folder.log.read_text()
  assert records.read(folder.metrics)[0]['data_wait'] == 0.5


def test_a_little_waiting_is_not_told(folder, monkeypatch):
  clock = Clock()
  monkeypatch.setattr('alae_jax.training.telemetry.time', clock)
  with Telemetry(folder, SCHEDULE, 0) as telemetry:
    for images in (16, 32, 48):
      wait_and_work(telemetry, clock, images, 0.5, 19.5)
    telemetry.say('done')
  assert 'waiting' not in folder.log.read_text()
