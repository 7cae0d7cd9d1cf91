"""Runs of a few steps on eight devices: what they write, how they resume."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
from etils import epath

from alae_jax import sharding
from alae_jax.errors import Interrupted, UserError
from alae_jax.inference import loading
from alae_jax.runs import records
from alae_jax.runs.checkpoint import Checkpoints
from alae_jax.runs.folder import open_folder
from alae_jax.runs.ownership import LostFolder, Owner
from alae_jax.training import loop
from tests.support.runs import (
  assert_identical,
  final_state,
  make_tiny_config,
  stop_after,
)
from tests.support.steps import assert_trees_close, mesh_of


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
  """The final state of a run that nothing interrupted."""
  config, workdir = make_tiny_config(), str(tmp_path_factory.mktemp('run'))
  loop.train(config, workdir)
  return final_state(workdir)


def test_a_run_leaves_what_it_promises(tiny_config, tmp_path):
  tiny_config.evaluation.at_end = ('probe',)
  loop.train(tiny_config, str(tmp_path))
  names = {path.name for path in (tmp_path / 'pictures').iterdir()}
  assert names == {'reals.png'} | {
    f'{kind}_{images:09d}.png'
    for kind in ('samples', 'reconstructions')
    for images in (0, 64, 96)
  }
  written = [
    json.loads(line)
    for line in (tmp_path / 'metrics.jsonl').read_text().splitlines()
  ]
  assert [r['images_seen'] for r in written] == [32, 64, 96, 96]
  assert [r['step'] for r in written] == [2, 4, 6, 6]
  assert written[0]['loss_discriminator'] > 0
  assert 0 <= written[-1]['probe/1nn_w'] <= 1
  assert {int(p.name) for p in (tmp_path / 'checkpoints').iterdir()} == {
    32,
    64,
    96,
  }
  assert list(tmp_path.glob('events.out.tfevents.*'))
  log = (tmp_path / 'log.txt').read_text()
  for word in (
    'jax ',
    'parameters: ',
    'compiled in',
    'probe/svm_w',
    'finished',
  ):
    assert word in log


@pytest.mark.parametrize('images', [16, 48, 64])
def test_a_killed_run_ends_bit_identically(
  tiny_config, tmp_path, monkeypatch, undisturbed, images
):
  class Killed(BaseException):
    pass

  def kill():
    raise Killed

  workdir = str(tmp_path / 'killed')
  with monkeypatch.context() as patch:
    stop_after(patch, images, kill)
    with pytest.raises(Killed):
      loop.train(tiny_config, workdir)
  loop.train(tiny_config, workdir)
  assert_identical(final_state(workdir), undisturbed)
  written = records.read(open_folder(workdir).metrics)
  assert [r['images_seen'] for r in written] == [32, 64, 96]


def test_a_run_in_pieces_goes_on_in_pieces_or_whole(
  tiny_config, tmp_path, monkeypatch, undisturbed
):
  """To the last bit where nothing changes; else on two devices, in parts."""
  monkeypatch.setattr(sharding, '_SMALL', 1)
  tiny_config.train.shard = 'all'
  whole, stopped = str(tmp_path / 'whole'), str(tmp_path / 'stopped')
  loop.train(tiny_config, whole)
  with monkeypatch.context() as patch:
    stop_after(patch, 48, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
      loop.train(tiny_config, stopped)
  elsewhere = shutil.copytree(stopped, tmp_path / 'elsewhere')
  loop.train(tiny_config, stopped)
  assert_identical(final_state(stopped), final_state(whole))
  tiny_config.train.shard = 'state'
  tiny_config.train.microbatches = 2
  monkeypatch.setattr(sharding, 'global_mesh', lambda: mesh_of(2))
  loop.train(tiny_config, str(elsewhere))
  for workdir in (whole, elsewhere):
    assert_trees_close(final_state(workdir).params, undisturbed.params, 1e-4)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_preempted_run_saves_and_goes_on(
  tiny_config, tmp_path, monkeypatch, undisturbed, number
):
  workdir = str(tmp_path / 'preempted')
  with monkeypatch.context() as patch:
    stop_after(patch, 32, lambda: os.kill(os.getpid(), number))
    with pytest.raises(Interrupted) as stopped:
      loop.train(tiny_config, workdir)
  assert stopped.value.status == 128 + number
  # The signal came after the step at 32 images; the next one is the last.
  assert int(final_state(workdir).images_seen) == 48
  assert (
    f'stopped by {number.name}'
    in (tmp_path / 'preempted' / 'log.txt').read_text()
  )
  loop.train(tiny_config, workdir)
  assert_identical(final_state(workdir), undisturbed)


def test_a_folder_in_which_another_process_trains_is_refused(
  tiny_config, tmp_path
):
  loop.train(tiny_config, str(tmp_path))
  tiny_config.train.images = 160
  before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*')}
  with Owner(open_folder(str(tmp_path))):
    with pytest.raises(UserError, match=r'workdir .* belongs to process'):
      loop.train(tiny_config, str(tmp_path))
    assert loading.load(str(tmp_path)).resolution == 8  # readers may
  del before[tmp_path / '.owner.json.lock']
  for path, written in before.items():
    assert path.stat().st_mtime_ns == written


def test_a_run_that_lost_its_folder_writes_nothing_more(
  tiny_config, tmp_path, monkeypatch
):
  """Taken over, removed, or removed and made anew by somebody else."""

  def take_over(path):
    owner = json.loads((path / 'owner.json').read_text())
    owner |= {'token': 'another', 'pid': 7}
    (path / 'owner.json').write_text(json.dumps(owner))

  def make_anew(path):
    shutil.rmtree(path)
    path.mkdir()
    (path / 'owner.json').write_text('{"token": "another", "pid": 7}')

  for number, lose in enumerate((take_over, shutil.rmtree, make_anew)):
    workdir = tmp_path / str(number)
    left = set()

    def lost(workdir=workdir, lose=lose, left=left):
      while not (workdir / 'checkpoints' / '32').exists():
        pass  # it is saved in the background
      lose(workdir)
      left.update(workdir.rglob('*'))

    with monkeypatch.context() as patch:
      stop_after(patch, 48, lost)
      with pytest.raises(LostFolder, match='this run stops'):
        loop.train(tiny_config, str(workdir))
    assert set(workdir.rglob('*')) - left == set()


def test_a_finished_run_says_so_and_changes_nothing(
  tiny_config, tmp_path, capsys
):
  loop.train(tiny_config, str(tmp_path))
  before = (tmp_path / 'metrics.jsonl').read_text()
  loop.train(tiny_config, str(tmp_path))
  assert 'is finished' in capsys.readouterr().out
  assert (tmp_path / 'metrics.jsonl').read_text() == before


def test_a_longer_run_goes_on_as_if_it_had_been_meant(tiny_config, tmp_path):
  short, whole = str(tmp_path / 'short'), str(tmp_path / 'whole')
  loop.train(tiny_config, short)
  tiny_config.train.images = 160
  loop.train(tiny_config, short)
  loop.train(tiny_config, whole)
  assert_identical(final_state(short), final_state(whole))


def test_another_config_is_refused(tiny_config, tmp_path):
  loop.train(tiny_config, str(tmp_path))
  tiny_config.train.learning_rate = 0.5
  with pytest.raises(UserError, match=r'train\.learning_rate is 0\.002 there'):
    loop.train(tiny_config, str(tmp_path))


def test_a_half_written_checkpoint_is_not_picked_up(
  tiny_config, tmp_path, undisturbed
):
  workdir = tmp_path / 'run'
  loop.train(tiny_config, str(workdir))
  # What a kill in the middle of a save leaves: a folder with a temporary name.
  newest = workdir / 'checkpoints' / '96'
  newest.rename(workdir / 'checkpoints' / '96.orbax-checkpoint-tmp-0')
  assert loading.load_run(str(workdir)).images_seen == 64
  loop.train(tiny_config, str(workdir))
  assert_identical(final_state(workdir), undisturbed)


def test_a_loss_that_is_not_finite_stops_the_run(tiny_config, tmp_path):
  tiny_config.train.learning_rate = 1e30
  with pytest.raises(FloatingPointError, match=r'after \d+ images'):
    loop.train(tiny_config, str(tmp_path))
  checkpoints = Checkpoints(
    epath.Path(tmp_path) / 'checkpoints', read_only=True
  )
  assert checkpoints.latest() is None  # nothing that is not finite was saved
  for record in records.read(epath.Path(tmp_path) / 'metrics.jsonl'):
    assert np.isfinite(list(record.values())).all()


def test_missing_data_is_told_before_a_folder_is_made(tiny_config, tmp_path):
  tiny_config.data.name = 'mnist'
  tiny_config.data.data_dir = str(tmp_path / 'no_data')
  with pytest.raises(UserError, match='alae prepare mnist'):
    loop.train(tiny_config, str(tmp_path / 'run'))
  assert not (tmp_path / 'run').exists()


def test_the_wrong_resolution_is_told(tiny_config, tmp_path):
  tiny_config.model.resolution = 9
  with pytest.raises(UserError, match='8'):
    loop.train(tiny_config, str(tmp_path / 'run'))
