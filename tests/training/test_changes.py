"""A run that goes on under other values, and one that begins anew."""

import json

import numpy as np
import pytest

from alae_jax import config as config_lib
from alae_jax.config import continuing
from alae_jax.errors import UserError
from alae_jax.inference import loading
from alae_jax.runs import records
from alae_jax.runs.folder import open_folder
from alae_jax.training import loop
from tests.support.runs import (
  assert_identical,
  final_state,
  make_tiny_config,
  stop_after,
)


class Killed(BaseException):
  pass


def kill():
  raise Killed


def train_until(monkeypatch, config, workdir, images, change=False):
  with monkeypatch.context() as patch:
    stop_after(patch, images, kill)
    with pytest.raises(Killed):
      loop.train(config, workdir, change)


@pytest.fixture(scope='module')
def changed(tmp_path_factory):
  """A run stopped at 64 images and finished under other values."""
  config, workdir = make_tiny_config(), str(tmp_path_factory.mktemp('run'))
  with pytest.MonkeyPatch.context() as patch:
    train_until(patch, config, workdir, 64)
  config.train.learning_rate = 0.0005
  config.train.batch_size = 24
  config.train.ema_half_life = 500.0
  config.train.images = 130
  loop.train(config, workdir, change=True)
  return config, workdir


def test_a_change_is_kept_with_the_images_seen(changed):
  _, workdir = changed
  stored = config_lib.load(open_folder(workdir).config)
  assert stored.train.batch_size == 24
  changes = {
    (c['images_seen'], c['field'], c['was'], c['now'])
    for c in stored.history.changes
  }
  assert changes == {
    (64, 'train.batch_size', 16, 24),
    (64, 'train.ema_half_life', 10_000.0, 500.0),
    (64, 'train.learning_rate', 0.002, 0.0005),
  }
  log = open_folder(workdir).log.read_text()
  assert 'train.batch_size is 24 from here on, it was 16' in log


def test_steps_and_records_follow_the_change(changed):
  _, workdir = changed
  run = loading.load_run(workdir)
  # 4 steps of 16 images, then 3 of 24: the last one passes 130.
  assert (run.images_seen, run.step) == (136, 7)
  assert records.read(open_folder(workdir).metrics)[-1]['step'] == 7


def test_the_same_command_goes_on_without_a_word(changed):
  config, workdir = changed
  before = final_state(workdir)
  loop.train(config, workdir)
  assert_identical(final_state(workdir), before)


def test_its_config_replays_the_run_to_the_last_bit(changed, tmp_path):
  _, workdir = changed
  config = config_lib.load(open_folder(workdir).config)
  loop.train(config, str(tmp_path))
  assert_identical(final_state(tmp_path), final_state(workdir))


@pytest.mark.parametrize('images', [48, 88, 112])
def test_a_changed_run_that_is_killed_ends_bit_identically(
  changed, tmp_path, monkeypatch, images
):
  _, workdir = changed
  config = config_lib.load(open_folder(workdir).config)
  train_until(monkeypatch, config, str(tmp_path), images)
  loop.train(config, str(tmp_path))
  assert_identical(final_state(tmp_path), final_state(workdir))


def test_two_changes_follow_each_other(tiny_config, tmp_path, monkeypatch):
  workdir = str(tmp_path / 'twice')
  train_until(monkeypatch, tiny_config, workdir, 32)
  tiny_config.train.r1_gamma = 1.0
  train_until(monkeypatch, tiny_config, workdir, 64, change=True)
  tiny_config.train.r1_gamma = 3.0
  loop.train(tiny_config, workdir, change=True)
  changes = config_lib.load(open_folder(workdir).config).history.changes
  assert [(c['images_seen'], c['was'], c['now']) for c in changes] == [
    (32, 10.0, 1.0),
    (64, 1.0, 3.0),
  ]
  replayed = str(tmp_path / 'replayed')
  loop.train(config_lib.load(open_folder(workdir).config), replayed)
  assert_identical(final_state(replayed), final_state(workdir))


def test_a_change_must_be_meant(changed):
  config, workdir = changed
  config = config.copy_and_resolve_references()
  config.train.r1_gamma = 1.0
  with pytest.raises(UserError, match=r'train\.r1_gamma .*--change'):
    loop.train(config, workdir)


@pytest.mark.parametrize(
  ('field', 'value'),
  [('train.seed', 1), ('model.w_dim', 8), ('model.mapping_layers', 3)],
)
def test_what_shapes_a_run_can_not_change(changed, field, value):
  config, workdir = changed
  config = config.copy_and_resolve_references()
  section, name = field.split('.')
  config[section][name] = value
  before = open_folder(workdir).config.read_text()
  with pytest.raises(UserError, match=rf'{field} is .*init_from'):
    loop.train(config, workdir, change=True)
  assert open_folder(workdir).config.read_text() == before


def test_a_run_that_saved_nothing_takes_its_corrected_config(
  tiny_config, tmp_path, monkeypatch
):
  train_until(monkeypatch, tiny_config, str(tmp_path), 16)
  tiny_config.model.w_dim = 7
  tiny_config.train.learning_rate = 0.001
  loop.train(tiny_config, str(tmp_path))
  assert loading.load(str(tmp_path)).w_dim == 7
  assert [
    r['images_seen'] for r in records.read(open_folder(str(tmp_path)).metrics)
  ] == [32, 64, 96]


def test_a_run_that_is_no_longer_finite_says_how_to_go_on(
  tiny_config, tmp_path, monkeypatch
):
  workdir = str(tmp_path)
  train_until(monkeypatch, tiny_config, workdir, 48)
  tiny_config.train.learning_rate = 1e30
  with pytest.raises(FloatingPointError, match='after 32 images is good'):
    loop.train(tiny_config, workdir, change=True)
  tiny_config.train.learning_rate = 0.001
  loop.train(tiny_config, workdir, change=True)
  assert int(final_state(workdir).images_seen) == 96
  changes = config_lib.load(open_folder(workdir).config).history.changes
  assert [(c['images_seen'], c['now']) for c in changes] == [
    (32, 1e30),
    (32, 0.001),
  ]


def test_one_that_never_was_says_that_nothing_is_saved(tiny_config, tmp_path):
  tiny_config.train.learning_rate = 1e30
  with pytest.raises(FloatingPointError, match='nothing is saved yet'):
    loop.train(tiny_config, str(tmp_path))


def test_a_run_of_before_goes_on_with_the_constant_half_life(
  tiny_config, tmp_path, monkeypatch
):
  workdir = str(tmp_path / 'old')
  tiny_config.train.ema_rampup = 0.0
  train_until(monkeypatch, tiny_config, workdir, 64)
  file = open_folder(workdir).config
  fields = json.loads(file.read_text())
  del fields['train']['ema_rampup'], fields['history']
  del fields['train']['init_from'], fields['growth']['first_level']
  file.write_text(json.dumps(fields))
  loop.train(make_tiny_config(), workdir)  # as its recipe is today
  whole = str(tmp_path / 'whole')
  loop.train(tiny_config, whole)
  assert_identical(final_state(workdir), final_state(whole))


def test_and_takes_the_bound_if_that_is_meant(
  tiny_config, tmp_path, monkeypatch
):
  tiny_config.train.ema_rampup = 0.0
  train_until(monkeypatch, tiny_config, str(tmp_path), 64)
  loop.train(make_tiny_config(), str(tmp_path), change=True)
  stored = config_lib.load(open_folder(str(tmp_path)).config)
  assert stored.train.ema_rampup == 0.05
  assert len(stored.history.changes) == 1


def test_every_field_that_may_change_exists():
  assert set(continuing.CHANGEABLE) <= set(
    config_lib.flatten(config_lib.default())
  )


def test_the_ema_follows_closely_while_a_level_is_young(tiny_config, tmp_path):
  """Half-life at most a twentieth of the images seen, by hand."""
  tiny_config.train.images = 32
  tiny_config.log.checkpoint_images = 16
  loop.train(tiny_config, str(tmp_path))
  first = loading.load_state(str(tmp_path), 16).state
  last = loading.load_state(str(tmp_path), 32).state
  assert_identical(first.ema, first.params)  # after the first step
  keep = 0.5 ** (16 / (0.05 * 16))
  leaf = np.asarray(last.ema['encoder']['dense_0']['kernel'])
  by_hand = keep * np.asarray(
    first.ema['encoder']['dense_0']['kernel'], np.float64
  ) + (1 - keep) * np.asarray(last.params['encoder']['dense_0']['kernel'])
  np.testing.assert_allclose(leaf, by_hand, rtol=1e-5)
