"""`alae_jax.train`: what a notebook or a program calls."""

import os
import signal
import threading

import jax
import pytest

import alae_jax
from alae_jax.errors import Interrupted, UserError
from alae_jax.inference import programs
from alae_jax.training import loop, preemption
from tests.support.runs import make_tiny_config, stop_after


def handlers():
  caught = signal.SIGINT, signal.SIGTERM
  wakeup = signal.set_wakeup_fd(-1)
  signal.set_wakeup_fd(wakeup)
  return [*map(signal.getsignal, caught), wakeup]


def press_stop(times=1):
  for _ in range(times):
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def trained(tiny_config, tmp_path):
  alae_jax.train(tiny_config, tmp_path)
  return tmp_path


def test_it_gives_the_model_and_leaves_the_rest_alone(tiny_config, tmp_path):
  before = handlers()
  model = alae_jax.train(tiny_config, tmp_path / 'run')
  assert (model.images_seen, model.weights) == (96, 'ema')
  assert tiny_config == make_tiny_config()
  assert handlers() == before


def test_a_finished_run_gives_its_model(trained, monkeypatch):
  monkeypatch.setattr(loop, 'train_segment', None)  # it is not called
  assert alae_jax.train(make_tiny_config(), str(trained)).images_seen == 96


def test_stopped_and_called_again_it_goes_on(
  tiny_config, tmp_path, monkeypatch
):
  before = handlers()
  with monkeypatch.context() as patch:
    stop_after(patch, 32, press_stop)
    with pytest.raises(KeyboardInterrupt, match='after 48 images, which are'):
      alae_jax.train(tiny_config, tmp_path)
  assert handlers() == before
  assert alae_jax.load(tmp_path).images_seen == 48
  assert alae_jax.train(tiny_config, tmp_path).images_seen == 96
  assert handlers() == before


def test_a_second_stop_leaves_at_once_and_the_process_stays(
  tiny_config, tmp_path, monkeypatch
):
  before = handlers()
  with monkeypatch.context() as patch:
    stop_after(patch, 48, lambda: press_stop(times=2))
    with pytest.raises(KeyboardInterrupt) as stopped:
      alae_jax.train(tiny_config, tmp_path)
  assert not isinstance(stopped.value, Interrupted)
  assert handlers() == before
  assert alae_jax.load(tmp_path).images_seen == 32
  assert alae_jax.train(tiny_config, tmp_path).images_seen == 96


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_commands_process_is_left_at_a_second_signal(monkeypatch, number):
  """From a thread: the main one may be compiling for minutes."""
  left, statuses = threading.Event(), []

  def leave(status):
    statuses.append(status)
    left.set()

  monkeypatch.setattr(preemption.os, '_exit', leave)
  with preemption.Preemption(lambda _: None, owns_process=True) as heard:
    for _ in range(2):
      os.kill(os.getpid(), number)
    assert left.wait(10)
    assert heard.reached()
  assert statuses == [128 + number]


def test_it_works_beside_the_main_thread(tiny_config, tmp_path):
  models, before = [], handlers()
  thread = threading.Thread(
    target=lambda: models.append(alae_jax.train(tiny_config, tmp_path))
  )
  thread.start()
  thread.join()
  assert [model.images_seen for model in models] == [96]
  assert handlers() == before


def test_a_config_may_be_a_name_or_a_file(trained, monkeypatch):
  monkeypatch.setattr(loop, 'train_segment', None)
  assert alae_jax.train(trained / 'config.json', trained).images_seen == 96
  with pytest.raises(UserError, match='holds a run with another config'):
    alae_jax.train('digits', trained)
  with pytest.raises(UserError, match='config digit is neither a Python file'):
    alae_jax.train('digit', trained)


def test_what_changes_is_refused_unless_meant(trained, tiny_config):
  tiny_config.train.learning_rate = 0.001
  tiny_config.train.images = 128
  with pytest.raises(UserError, match=r'train\.learning_rate'):
    alae_jax.train(tiny_config, trained)
  assert alae_jax.train(tiny_config, trained, change=True).images_seen == 128


def test_what_the_command_refuses_is_refused(tiny_config, tmp_path):
  tiny_config.data.name = 'nowhere'
  with pytest.raises(UserError, match="no dataset 'nowhere'"):
    alae_jax.train(tiny_config, tmp_path / 'run')
  (tmp_path / 'file').touch()
  with pytest.raises(UserError, match='file is a file'):
    alae_jax.train(make_tiny_config(), tmp_path / 'file')
  assert not (tmp_path / 'run').exists()


def test_a_place_for_programs_set_in_jax_is_kept(monkeypatch):
  monkeypatch.delenv('JAX_COMPILATION_CACHE_DIR')
  before = jax.config.values['jax_compilation_cache_dir']
  programs.keep()
  assert jax.config.values['jax_compilation_cache_dir'] == before


def test_a_notebook_shows_mistakes_in_one_line():
  for error in (UserError('a\nb'), Interrupted('a\nb', 130)):
    (line,) = error._render_traceback_()
    assert line == f'{type(error).__name__}: a\\nb'
