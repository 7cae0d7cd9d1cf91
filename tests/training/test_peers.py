"""What a process does where another one fails, is silent or leaves."""

import threading

import jax
import pytest

from alae_jax.errors import Interrupted, UserError
from alae_jax.training import peers as peers_lib
from alae_jax.training.peers import Peers


class Store:
  """jax's key-value store, in this process."""

  def __init__(self):
    self.written = {}
    self.gone = False

  def key_value_set(self, key, value, allow_overwrite=False):
    if self.gone or (key in self.written and not allow_overwrite):
      raise jax.errors.JaxRuntimeError('ALREADY_EXISTS')
    self.written[key] = value

  def key_value_dir_get(self, key):
    if self.gone:
      raise jax.errors.JaxRuntimeError('UNAVAILABLE')
    return [item for item in self.written.items() if item[0].startswith(key)]

  def sign(self, process, sign):
    self.written[f'alae_jax/process/{process}'] = sign


class Ended(BaseException):
  """In place of the end of the process."""


@pytest.fixture
def ended(monkeypatch):
  """Waits for the end of the process, in which all stands still: its status."""
  statuses = []
  over = threading.Event()

  def end(status):
    statuses.append(status)
    over.set()
    if threading.current_thread() is threading.main_thread():
      raise Ended
    threading.Event().wait()

  monkeypatch.setattr(peers_lib.os, '_exit', end)
  monkeypatch.setattr(peers_lib, 'SECONDS_BETWEEN_SIGNS', 0.01)
  monkeypatch.setattr(peers_lib, 'SECONDS_OF_SUSPICION', 0.2)
  monkeypatch.setattr(peers_lib, 'SECONDS_TO_SAY_THE_SAME', 0.1)

  def wait():
    assert over.wait(30)
    return statuses[0]

  return wait


def saved():
  return 'all is saved'


def waits_for(event):
  """A command that waits as for a sum over all devices."""
  return lambda: event.wait(30)


def in_thread(peers, command):
  threading.Thread(target=lambda: peers.do(command, saved), daemon=True).start()


def test_a_process_that_falls_silent_is_told_of(ended, monkeypatch, capsys):
  monkeypatch.setattr(peers_lib, 'SECONDS_OF_SILENCE', 0.4)
  store = Store()
  peers = Peers(store, 0, 3)
  in_thread(peers, waits_for(threading.Event()))
  store.sign(1, 'done')  # which has done its part, and may be
  assert ended() == 1
  assert capsys.readouterr().err == (
    'alae: process 2 of 3 is gone: it was killed, or its machine is out of '
    'reach; all is saved\n'
  )
  assert store.written['alae_jax/notice'].startswith('process 2 of 3 is gone')


def test_a_process_that_speaks_is_left_alone(ended, monkeypatch):
  monkeypatch.setattr(peers_lib, 'SECONDS_OF_SILENCE', 0.4)
  store = Store()
  over = threading.Event()

  def speaks():
    for number in range(100):
      store.sign(1, str(number))
      over.wait(0.01)

  Peers(store, 0, 2).do(speaks, saved)
  assert store.written['alae_jax/process/0'] == 'done'
  assert 'alae_jax/notice' not in store.written


def test_what_another_says_is_said_here(ended, capsys):
  store = Store()
  store.written['alae_jax/notice'] = 'process 0 of 2 has stopped: no room'
  in_thread(Peers(store, 1, 2), waits_for(threading.Event()))
  assert ended() == 1
  assert capsys.readouterr().err == (
    'alae: process 0 of 2 has stopped: no room; all is saved\n'
  )


def test_a_process_that_finds_the_same_says_its_own(ended, capsys):
  store = Store()
  store.written['alae_jax/notice'] = 'process 0 of 2 has stopped: workdir x'

  def fails():
    raise UserError('workdir x belongs to another job')

  with pytest.raises(Ended):
    Peers(store, 1, 2).do(fails, saved, ('--workdir',))
  assert ended() == 2
  assert capsys.readouterr().err == (
    'alae: --workdir x belongs to another job\n'
  )


def test_a_failure_is_told_before_it_is_cleaned_up(ended):
  store = Store()
  peers = Peers(store, 1, 2)
  store.sign(0, 'done')
  seen = []

  def fails():
    try:
      with peers.told():
        raise FloatingPointError('loss is nan')
    finally:
      seen.append(store.written['alae_jax/notice'])

  with pytest.raises(Ended):
    peers.do(fails, saved)
  assert ended() == 1
  assert seen == ['process 1 of 2 has stopped: loss is nan']


def test_a_failure_that_waits_for_others_ends_when_they_are_gone(ended, capsys):
  """As a save does, that no other process takes part in any more."""
  peers = Peers(Store(), 0, 2)

  def fails():
    try:
      with peers.told():
        raise FloatingPointError('loss is nan')
    finally:
      threading.Event().wait(30)

  in_thread(peers, fails)
  assert ended() == 1
  assert capsys.readouterr().err == 'alae: loss is nan\n'


@pytest.mark.parametrize(
  'error',
  [
    jax.errors.JaxRuntimeError('INTERNAL: the other end is closed'),
    ValueError('UNKNOWN: Gloo AllGather failed: closed by peer'),
  ],
)
def test_a_sum_that_fails_is_laid_to_the_process_that_is_gone(
  ended, capsys, error
):
  peers = Peers(Store(), 0, 2)

  def fails():
    raise OSError('a checkpoint is not saved') from error

  in_thread(peers, fails)
  assert ended() == 1
  assert 'process 1 of 2 is gone' in capsys.readouterr().err


def test_an_unknown_error_has_its_traceback(ended, capsys):
  store = Store()
  store.sign(0, 'done')
  with pytest.raises(Ended):
    Peers(store, 1, 2).do(lambda: 1 / 0, saved)
  assert ended() == 1
  assert 'ZeroDivisionError: division by zero' in capsys.readouterr().err
  assert store.written['alae_jax/notice'].endswith('division by zero')


def test_without_the_first_process_nothing_is_asked_of_it(ended, capsys):
  peers = Peers(Store(), 1, 2)
  in_thread(peers, waits_for(threading.Event()))
  lost = threading.Thread(target=peers.lost, args=(0,))
  lost.start()
  assert ended() == 1
  assert 'process 0 of 2 is gone' in capsys.readouterr().err


def test_a_signal_stops_all_alike(ended):
  store = Store()

  def stops():
    raise Interrupted('stopped by SIGTERM', 143)

  with pytest.raises(Interrupted):
    Peers(store, 0, 2).do(stops, saved)
  assert 'alae_jax/notice' not in store.written
  assert store.written['alae_jax/process/0'] == 'done'
