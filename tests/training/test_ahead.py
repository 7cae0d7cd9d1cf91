"""The next level's step, compiled while this one trains."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from alae_jax import config as config_lib
from alae_jax.data import prepare
from alae_jax.errors import ABANDONED
from alae_jax.training import ahead, loop
from alae_jax.training.compile import TooLarge
from tests.support import pages
from tests.support.example_data import write_images
from tests.support.runs import assert_identical, final_state


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  folder = tmp_path_factory.mktemp('pictures')
  write_images(folder, count=8, side=8)
  data_dir = tmp_path_factory.mktemp('data')
  prepare.prepare('tiny', str(folder), str(data_dir), resolution=8)
  return str(data_dir)


@pytest.fixture
def growing(data_dir):
  """4x4 for two steps and 8x8 for two."""
  config = config_lib.default_style(levels=2)
  config.data.name = 'tiny'
  config.data.data_dir = data_dir
  config.model.base_channels = 4
  config.model.max_channels = 4
  config.model.z_dim = 4
  config.model.w_dim = 4
  config.model.mapping_layers = 1
  config.train.images = 32
  config.growth.images_per_level = 16
  config.growth.batch_sizes = (8,)
  return config


@pytest.fixture
def on_any_backend(monkeypatch):
  monkeypatch.setattr(ahead, 'BACKENDS', ('cpu',))


@pytest.fixture
def compiled(monkeypatch):
  """Names of the threads that compile, in order."""
  threads = []

  def compile_lowered(lowered):
    thread = threading.current_thread()
    assert not thread.daemon  # inside XLA it would abort a Python that ends
    threads.append(thread.name)
    return lowered.compile()

  monkeypatch.setattr(ahead, 'compile_lowered', compile_lowered)
  return threads


MAIN = threading.main_thread().name


def test_a_level_trains_with_what_was_compiled_before(
  growing, tmp_path, monkeypatch, compiled
):
  loop.train(growing, str(tmp_path / 'turn'))
  assert compiled == [MAIN, MAIN]
  compiled.clear()
  monkeypatch.setattr(ahead, 'BACKENDS', ('cpu',))
  loop.train(growing, str(tmp_path / 'ahead'))
  assert compiled == [MAIN, ABANDONED]
  turn, before = (final_state(tmp_path / name) for name in ('turn', 'ahead'))
  assert_identical(turn, before)
  log = (tmp_path / 'ahead' / 'log.txt').read_text()
  assert 'compiling the step for 4x4, batch 8' in log
  assert 'the step for 8x8, batch 8 was compiled in' in log


def test_what_can_not_be_compiled_is_said_before_its_turn(
  growing, tmp_path, monkeypatch, on_any_backend
):
  warned = threading.Event()
  said = []

  def refuse(lowered):
    if threading.current_thread().name == ABANDONED or said:
      raise TooLarge(17.2 * 2**30, 15.75 * 2**30)
    return lowered.compile()

  def warn(self, segment, error):
    said.append(segment.level)
    warning(self, segment, error)
    warned.set()

  warning = ahead.Ahead._warn
  monkeypatch.setattr(ahead, 'compile_lowered', refuse)
  monkeypatch.setattr(ahead.Ahead, '_warn', warn)
  with pytest.raises(TooLarge, match=r'17\.20 GiB of memory'):
    loop.train(growing, str(tmp_path))
  assert warned.is_set()
  assert said == [1]
  log = (tmp_path / 'log.txt').read_text()
  assert 'warning: the step for 8x8, batch 8 can not be compiled' in log
  assert int(final_state(tmp_path).images_seen) == 16


# A compilation beside training takes minutes here.
SLOW = """
import threading, time
from alae_jax import main
from alae_jax.training import ahead

compile_lowered = ahead.compile_lowered

def slow(lowered):
  if threading.current_thread() is threading.main_thread():
    return compile_lowered(lowered)
  print('ahead', flush=True)
  time.sleep(600)

ahead.BACKENDS = ('cpu',)
ahead.compile_lowered = slow
main.run()
"""


def test_a_command_that_is_stopped_does_not_wait_for_it(growing, tmp_path):
  growing.train.images = 2_000_000
  growing.growth.images_per_level = 1_000_000
  config = tmp_path / 'config.json'
  config.write_text(json.dumps(growing.to_dict()))
  job = subprocess.Popen(
    [sys.executable, '-c', SLOW, f'--config={config}', '--workdir=run'],
    cwd=tmp_path,
    stdout=subprocess.PIPE,
    text=True,
    env=os.environ | {'PYTHONPATH': str(pages.ROOT)},
  )
  for line in job.stdout:
    if line == 'ahead\n':
      break
  job.send_signal(signal.SIGTERM)
  said = job.communicate(timeout=300)[0]
  assert job.returncode == 143, said
  assert 'stopped by SIGTERM after' in said
  assert int(final_state(tmp_path / 'run').images_seen) > 0
