"""A StyleALAE that grows: resumed, on other devices, and step by step."""

import dataclasses
import os
import signal

import jax
import numpy as np
import pytest

from alae_jax import cli, sharding
from alae_jax import config as config_lib
from alae_jax.data import prepare
from alae_jax.errors import Interrupted, UserError
from alae_jax.inference import loading
from alae_jax.methods.alae import build_alae
from alae_jax.models.networks import build_networks
from alae_jax.runs import records
from alae_jax.runs.folder import open_folder
from alae_jax.runs.schedule import build_schedule
from alae_jax.training import hooks, loop, opening
from alae_jax.training import step as step_lib
from tests.support.example_data import write_images
from tests.support.measured import make_metric
from tests.support.runs import assert_identical, final_state
from tests.support.steps import (
  assert_trees_close,
  distance,
  fresh_state,
  mesh_of,
  put,
)


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  folder = tmp_path_factory.mktemp('pictures')
  write_images(folder, count=20, side=16)
  data_dir = tmp_path_factory.mktemp('data')
  prepare.prepare(
    'tiny', str(folder), str(data_dir), resolution=16, test_images=4
  )
  return str(data_dir)


@pytest.fixture
def growing(data_dir):
  """4x4, 8x8 and 16x16 in batches of 16, 8 and 8; each fades for 24 images."""
  config = config_lib.default_style(levels=3)
  config.data.name = 'tiny'
  config.data.data_dir = data_dir
  config.data.flip = True
  config.model.base_channels = 4
  config.model.max_channels = 8
  config.model.z_dim = 6
  config.model.w_dim = 6
  config.model.mapping_layers = 2
  config.train.images = 144
  config.growth.images_per_level = 48
  config.growth.batch_sizes = (16, 8)
  config.log.metrics_images = 16
  config.log.pictures_images = 48
  config.log.checkpoint_images = 16
  return config


class Killed(BaseException):
  pass


@pytest.mark.slow
def test_a_growing_run_resumes_bit_identically(growing, tmp_path, monkeypatch):
  """Killed in the middle of two fades and between two levels."""
  whole, killed = str(tmp_path / 'whole'), str(tmp_path / 'killed')
  loop.train(growing, whole)
  after_step = hooks.Watch.after_step
  for images in (56, 96, 112):
    with monkeypatch.context() as patch:

      def disturbed(self, state, metrics, images_seen, stop, last=images):
        after_step(self, state, metrics, images_seen, stop)
        if images_seen == last:
          raise Killed

      patch.setattr(hooks.Watch, 'after_step', disturbed)
      with pytest.raises(Killed):
        loop.train(growing, killed)
  loop.train(growing, killed)
  assert_identical(final_state(whole), final_state(killed))
  written = records.read(open_folder(killed).metrics)
  assert [r['resolution'] for r in written] == [4] * 3 + [8] * 3 + [16] * 3
  assert written[2]['blend'] == 1.0  # the first level does not fade
  assert 0 < written[3]['blend'] < written[4]['blend'] == 1.0
  names = {path.name for path in open_folder(whole).pictures.iterdir()}
  assert {f'samples_{n:09d}.png' for n in (0, 48, 96, 144)} <= names


def test_a_metric_that_does_not_fit_the_data_is_refused_at_once(
  growing, tmp_path
):
  growing.evaluation.at_end = ('probe',)
  with pytest.raises(UserError, match='needs labels'):
    loop.train(growing, str(tmp_path / 'run'))
  assert not (tmp_path / 'run').exists()


@pytest.mark.slow
def test_a_level_ends_with_a_checkpoint(growing, tmp_path, monkeypatch):
  """Stopped while the next level compiles, and by a signal just before it."""
  growing.log.checkpoint_images = 10**6
  growing.train.images = 96
  workdir = str(tmp_path / 'run')
  draw = hooks.Watch.draw

  def disturbed(self, state, images_seen):
    draw(self, state, images_seen)
    if images_seen == 48:  # after the level's last step was asked about
      os.kill(os.getpid(), signal.SIGTERM)

  with monkeypatch.context() as patch:
    patch.setattr(hooks.Watch, 'draw', disturbed)
    with pytest.raises(Interrupted):
      loop.train(growing, workdir)
  assert int(final_state(workdir).images_seen) == 48
  assert (
    'after 48 images, which are saved'
    in (tmp_path / 'run' / 'log.txt').read_text()
  )


@pytest.mark.slow
def test_eight_devices_grow_as_one_does(growing, monkeypatch):
  """And with a piece of the state each, down to the smallest arrays."""
  monkeypatch.setattr(sharding, '_SMALL', 1)
  growing.train.shard = 'all'
  growing.growth.batch_sizes = (16, 16)
  networks = build_networks(growing)
  fading = build_schedule(growing)[1]
  images = np.random.default_rng(0).integers(
    0, 256, (16, 8, 8, 3), dtype=np.uint8
  )
  results, flops = [], []
  for devices in (1, 8):
    mesh = mesh_of(devices)
    state = perturbed(fresh_state(networks, mesh, 'all'))
    step = (
      step_lib.build_step(
        build_alae(growing),
        networks,
        step_lib.step_options(growing),
        fading,
        mesh,
      )
      .lower(state, put(mesh, images), np.float32(0))
      .compile()
    )
    flops.append(step.cost_analysis()['flops'])
    for travels in ('all-to-all', 'collective-permute'):
      assert travels not in step.as_text()
    before = jax.device_get(state.params)
    state, first = step(state, put(mesh, images), np.float32(0.25))
    moved = jax.tree.map(np.subtract, jax.device_get(state.params), before)
    for blend in (0.5, 1.0):
      state, last = step(state, put(mesh, images), np.float32(blend))
    # An instance norm takes this bias out again: its gradient is rounding,
    # and Adam makes a whole step of it.
    del moved['generator']['block_0']['layer_1']['bias']
    results.append((moved, first, last))
  one, eight = results
  assert flops[1] < 1.3 / 8 * flops[0]
  assert_trees_close(one[1], eight[1], 1e-4)
  assert_trees_close(one[2], eight[2], 2e-2)
  # Adam's first step is the gradient's sign, and the sign of one that is all
  # but zero is rounding: a few of thousands may differ, not more.
  for network in one[0]:
    assert distance(one[0][network], eight[0][network]) < 0.05, network


def perturbed(state):
  """Fresh parameters give maps without variance, which magnify rounding."""
  rng = np.random.default_rng(0)
  return dataclasses.replace(
    state,
    params=jax.tree.map(
      lambda leaf: leaf + 0.1 * rng.standard_normal(leaf.shape, np.float32),
      state.params,
    ),
  )


def test_a_level_begins_with_fresh_moments(growing):
  networks = build_networks(growing)
  run = opening.Run(
    growing, None, networks, mesh_of(1), build_schedule(growing), None, None
  )
  state = fresh_state(networks, run.mesh)
  used = dataclasses.replace(
    state, opt_state=jax.tree.map(lambda leaf: leaf + 1, state.opt_state)
  )
  assert_identical(loop.reset_optimizer(run, used).opt_state, state.opt_state)


def test_a_run_that_ends_in_a_fade_records_what_evaluate_prints(
  growing, data_dir, tmp_path, monkeypatch, capsys
):
  def codes(subject):
    test, model = subject.test, subject.model
    w = model.encode(test.batch(range(len(test)))['image'])
    return {'codes/mean': float(w.mean()), 'codes/blend': float(model.blend)}

  make_metric(monkeypatch, 'codes', codes)
  growing.train.images = 56
  growing.evaluation.at_end = ('codes',)
  workdir = str(tmp_path)
  loop.train(growing, workdir)
  assert cli.main(['evaluate', workdir, '--metrics', 'codes']) == 0
  at_end, later = records.read(open_folder(workdir).metrics)[-2:]
  assert at_end['codes/blend'] == pytest.approx(0.25)  # a third of the fade
  for name in ('codes/mean', 'codes/blend', 'images_seen', 'step', 'weights'):
    assert at_end[name] == later[name], name
  assert f'{later["codes/mean"]:.4f}' in capsys.readouterr().out


def test_the_best_of_the_largest_level_is_kept(growing, tmp_path, monkeypatch):
  """Numbers of small images are better, and tell nothing of large ones."""
  numbers = {16: 1.0, 32: 3.0, 48: 2.0, 56: 5.0, 64: 4.0, 72: 6.0}
  make_metric(
    monkeypatch, 'number', lambda s: {'number': numbers[s.model.images_seen]}
  )
  growing.train.images = 72
  growing.log.keep_last = 1
  growing.evaluation.every_images = 8
  growing.evaluation.metrics = ('number',)
  growing.evaluation.keep_best = 'number'
  loop.train(growing, str(tmp_path))
  assert loading.load(str(tmp_path), 'best').images_seen == 64
  kept = {int(path.name) for path in (tmp_path / 'checkpoints').iterdir()}
  assert kept == {16, 64, 72}  # the first for good, as log.keep_images has it
