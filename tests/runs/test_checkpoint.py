"""What is kept beside checkpoints, what is noticed, what is read of them."""

import pathlib
import random
import shutil

import jax
import numpy as np
import pytest
from etils import epath
from jax.experimental import multihost_utils

from alae_jax import sharding
from alae_jax.errors import UserError
from alae_jax.models.networks import build_networks
from alae_jax.runs import checksums, stored_arrays
from alae_jax.runs import state as state_lib
from alae_jax.runs.checkpoint import (
  Checkpoints,
  DamagedCheckpoint,
  list_some,
)
from tests.support import example_runs
from tests.support.checkpoints import DAMAGES, garble
from tests.support.runs import assert_identical, make_tiny_config
from tests.support.steps import mesh_of


@pytest.fixture
def run(mlp, tmp_path):
  """checkpoints/ of a run of its own, with the one after 16 images."""
  return shutil.copytree(pathlib.Path(mlp) / 'checkpoints', tmp_path / 'run')


@pytest.fixture(scope='module')
def state():
  return example_runs.make_state(make_tiny_config())


def abstract_state():
  return state_lib.abstract_state(
    build_networks(make_tiny_config()),
    sharding.replicated(sharding.local_mesh()),
  )


def restore(run, images_seen=16, **unread):
  checkpoints = Checkpoints(epath.Path(run), read_only=True)
  wanted = abstract_state()
  return checkpoints.restore(images_seen, wanted.replace(**unread))


def save(run, state, *numbers, **settings):
  checkpoints = Checkpoints(epath.Path(run), **settings)
  for images_seen in numbers:
    checkpoints.save(state, images_seen)
  checkpoints.close()


def names(folder):
  return {path.name for path in folder.iterdir()}


def test_each_flipped_bit_is_told_or_does_nothing(run, state):
  files = [path for path in run.rglob('*') if path.is_file()]
  rng, told = random.Random(0), 0
  for flips in range(80):
    path = files[flips % len(files)]
    whole = path.read_bytes()
    place = rng.randrange(8 * len(whole))
    flipped = bytearray(whole)
    flipped[place // 8] ^= 1 << place % 8
    path.write_bytes(flipped)
    try:
      assert_identical(restore(run), state)
    except DamagedCheckpoint as error:
      told += 1
      assert str(error).startswith(f'checkpoint 16 is damaged: {run}/16: ')
      assert len(str(error).splitlines()) == 1
    path.write_bytes(whole)
  assert told > 70
  assert_identical(restore(run), state)


@pytest.mark.parametrize('checked', [True, False])
@pytest.mark.parametrize('damage', DAMAGES)
def test_damage_is_told_in_one_short_line(run, capfd, damage, checked):
  if not checked:
    (run / '16' / checksums.NAME).unlink()
  damage(run / '16')
  for read in (
    restore,
    lambda _: Checkpoints(epath.Path(run)).newest_whole(),
  ):
    with pytest.raises(UserError, match='checkpoint 16 is damaged') as told:
      read(run)
    assert len(str(told.value)) < 300 + 3 * len(str(run))
    assert len(str(told.value).splitlines()) == 1
  assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('content', ['', '[]', '3', '{"x": 0}', '{"16": null}'])
def test_checksums_that_are_none_are_told(run, content):
  (run / '16' / checksums.NAME).write_text(content)
  with pytest.raises(DamagedCheckpoint):
    restore(run)


def test_a_checkpoint_without_checksums_is_read_and_gets_some(run, state):
  (run / '16' / checksums.NAME).unlink()
  assert_identical(restore(run), state)
  assert Checkpoints(epath.Path(run)).newest_whole() == 16
  save(run, state, 32, keep_last=2)
  for number in ('16', '32'):
    assert checksums.verify(epath.Path(run) / number)


def test_checksums_are_there_when_the_next_save_begins(run, state):
  checkpoints = Checkpoints(epath.Path(run), keep_last=3)
  checkpoints.save(state, 32)
  checkpoints.save(state, 48)
  assert checksums.verify(epath.Path(run) / '32')
  checkpoints.wait()
  assert checksums.verify(epath.Path(run) / '48')
  checkpoints.close()


def test_checksums_go_with_their_checkpoint(run, state):
  save(run, state, 32, 48, keep_last=2)
  assert names(run) == {'32', '48'}


def test_a_save_does_not_ask_whether_to_stop(run, state, monkeypatch):
  """jax counts the questions, which are the loop's."""
  asked = []
  monkeypatch.setattr(
    multihost_utils,
    'reached_preemption_sync_point',
    lambda step: bool(asked.append(step)),
  )
  save(run, state, 32, 48)
  assert names(run) == {'48'}
  assert asked == []


def test_what_is_no_checkpoint_is_in_nobodys_way(run, state):
  for name in ('abc', '0032', '8.damaged', '40.orbax-checkpoint-tmp-0'):
    (run / name).mkdir()
  assert Checkpoints(epath.Path(run)).all() == [16]
  save(run, state, 32, keep_last=2)
  assert_identical(restore(run, 32), state)
  assert Checkpoints(epath.Path(run)).all() == [16, 32]
  assert names(run) == {'abc', '0032', '8.damaged', '16', '32'}


@pytest.mark.parametrize('damage', [*DAMAGES, garble('_CHECKPOINT_METADATA')])
def test_the_newest_whole_one_is_found_and_the_damaged_number_saved_again(
  run, state, damage
):
  save(run, state, 32, 48, keep_last=3)
  damage(run / '48')
  checkpoints = Checkpoints(epath.Path(run), keep_last=3)
  assert checkpoints.newest_whole() == 32
  found, damaged = checkpoints.restore_newest(abstract_state())
  assert found[0] == 32
  assert_identical(found[1], state)
  assert [error.images_seen for error in damaged] == [48]
  (run / '48.damaged').mkdir()  # by an earlier time
  assert checkpoints.set_aside(48).name == '48.damaged2'
  checkpoints.save(state, 48)
  checkpoints.close()
  assert names(run) == {'16', '32', '48', '48.damaged', '48.damaged2'}
  assert_identical(restore(run, 48), state)


@pytest.mark.parametrize('damage', [*DAMAGES, garble('_CHECKPOINT_METADATA')])
def test_an_older_damaged_one_is_left_alone(run, state, damage):
  save(run, state, 32, keep_last=3)
  damage(run / '16')
  save(run, state, 48, keep_last=3)
  assert names(run) >= {'32', '48'}
  assert_identical(restore(run, 48), state)


def test_what_is_not_wanted_is_not_read(run, monkeypatch):
  read, asked = stored_arrays.ocp.Checkpointer.restore, []

  def watched(self, path, args):
    asked.append(args.item)
    return read(self, path, args=args)

  monkeypatch.setattr(stored_arrays.ocp.Checkpointer, 'restore', watched)
  alive = sum(array.nbytes for array in jax.live_arrays())
  state = restore(run, opt_state={}, params={})
  grown = sum(array.nbytes for array in jax.live_arrays()) - alive
  assert state.opt_state == state.params == {}
  assert set(asked[0]) == {'images_seen', 'ema', 'mean_w'}
  read_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
  assert grown <= jax.local_device_count() * read_bytes


@pytest.mark.parametrize(
  ('field', 'value', 'said'),
  [
    ('hidden', (16, 17), r'is \[16\] there and \[17\] by config\.json'),
    ('mapping_layers', 3, r'dense_2\.bias is missing there'),
    ('mapping_layers', 1, r'is \[6\] there and missing by config\.json'),
  ],
)
def test_another_config_is_no_damage(run, field, value, said):
  config = make_tiny_config()
  config.model[field] = value
  wanted = state_lib.abstract_state(
    build_networks(config), sharding.replicated(sharding.local_mesh())
  )
  with pytest.raises(UserError, match=said) as told:
    Checkpoints(epath.Path(run)).restore_newest(wanted)
  assert not isinstance(told.value, DamagedCheckpoint)


def test_a_file_that_may_not_be_read_is_no_damage(run, monkeypatch):
  def refuse(self, *_):
    raise PermissionError(13, 'Permission denied', str(self))

  monkeypatch.setattr(type(epath.Path(run)), 'open', refuse)
  with pytest.raises(UserError, match='Permission denied') as told:
    restore(run)
  assert not isinstance(told.value, DamagedCheckpoint)


def test_many_numbers_are_told_in_short():
  assert list_some([]) == 'none'
  assert list_some([16]) == '16'
  assert list_some([16, 32]) == '16 and 32'
  assert list_some([1, 2, 3]) == '1, 2 and 3'
  told = list_some(list(range(1000)))
  assert told == '0, 1, 2, 3, ..., 996, 997, 998 and 999'


def test_a_large_file_is_hashed_in_pieces(tmp_path, monkeypatch):
  data = np.random.default_rng(0).bytes(10_000)
  (tmp_path / 'data').write_bytes(data)
  checksums.write(epath.Path(tmp_path))
  monkeypatch.setattr(checksums, '_PIECE', 999)
  assert checksums.verify(epath.Path(tmp_path))
  (tmp_path / 'data').write_bytes(data[:-1])
  with pytest.raises(checksums.Mismatch, match='data is not as it was saved'):
    checksums.verify(epath.Path(tmp_path))


@pytest.mark.parametrize(
  ('devices', 'shard'), [(1, 'none'), (2, 'state'), (8, 'all')]
)
def test_a_state_saved_in_pieces_is_read_onto_any_devices(
  state, tmp_path, monkeypatch, devices, shard
):
  monkeypatch.setattr(sharding, '_SMALL', 1)
  networks = build_networks(make_tiny_config())

  def places(devices, shard):
    layout = sharding.Layout(mesh_of(devices), shard)
    return state_lib.places(networks, layout)

  pieces = jax.tree.map(jax.device_put, state, places(8, 'all'))
  save(tmp_path / 'run', pieces, 16)
  there = places(devices, shard)
  checkpoints = Checkpoints(epath.Path(tmp_path / 'run'), read_only=True)
  read = checkpoints.restore(16, state_lib.abstract_state(networks, there))
  assert_identical(read, state)
  assert jax.tree.all(
    jax.tree.map(lambda x, place: x.sharding == place, read, there)
  )
