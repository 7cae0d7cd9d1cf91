"""Runs that begin with the weights of another."""

import shutil

import jax
import numpy as np
import pytest

from alae_jax import config as config_lib
from alae_jax import sharding
from alae_jax.errors import UserError
from alae_jax.inference import loading
from alae_jax.models.networks import build_networks
from alae_jax.runs import state as state_lib
from alae_jax.runs.folder import open_folder
from alae_jax.runs.schedule import build_schedule
from alae_jax.training import loop, start
from tests.support import example_runs
from tests.support.runs import assert_identical, final_state, make_tiny_config


@pytest.fixture(autouse=True)
def cut_everything(monkeypatch):
  """Every array that can be is spread over the devices."""
  monkeypatch.setattr(sharding, '_SMALL', 1)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
  """An MLP-ALAE with checkpoints at 32, 64 and 96 images."""
  workdir = str(tmp_path_factory.mktemp('source'))
  loop.train(make_tiny_config(), workdir)
  return workdir


@pytest.fixture(scope='module')
def faces(tmp_path_factory):
  """A StyleALAE of 4x4 to 16x16."""
  return example_runs.style_run(tmp_path_factory.mktemp('faces'))


def begin(config):
  """The settled config and the state that a run begins with."""
  config = start.settle(config)
  networks = build_networks(config)
  layout = sharding.Layout(sharding.global_mesh(), 'all')
  places = state_lib.places(networks, layout)
  return config, start.init_state(config, networks, places)


@pytest.mark.parametrize('images', ['', '@64'])
def test_it_begins_with_all_weights_and_a_fresh_optimizer(
  source, tiny_config, images
):
  tiny_config.train.init_from = source + images
  config, state = begin(tiny_config)
  there = loading.load_state(source, 64 if images else 96).state
  assert config.train.init_from == f'{source}@{there.images_seen}'
  assert_identical(state.params, there.params)
  assert_identical(state.ema, there.ema)
  np.testing.assert_array_equal(state.mean_w, there.mean_w)
  assert int(state.images_seen) == 0
  fresh = state_lib.init_state(build_networks(config), 0)
  assert_identical(state.opt_state, fresh.opt_state)


def test_such_a_run_is_recorded_and_needs_its_source_only_once(
  source, tiny_config, tmp_path
):
  workdir = str(tmp_path / 'run')
  moved = shutil.copytree(source, tmp_path / 'source')
  tiny_config.train.init_from = str(moved)
  tiny_config.train.learning_rate = 0.001
  loop.train(tiny_config, workdir)
  assert 'starts with the weights of' in open_folder(workdir).log.read_text()
  stored = config_lib.load(open_folder(workdir).config)
  assert stored.train.init_from == f'{moved}@96'
  shutil.rmtree(moved)
  tiny_config.train.images = 128
  loop.train(tiny_config, workdir)  # the same command, though it is gone
  assert int(final_state(workdir).images_seen) == 128


def test_the_average_goes_on_from_the_other_run(source, tiny_config, tmp_path):
  """With a warm-up the first step would put the live weights in its place."""
  tiny_config.train.init_from = source
  tiny_config.train.images = 16
  loop.train(tiny_config, str(tmp_path))
  there, here = loading.load_state(source).state, final_state(tmp_path)
  keep = 0.5 ** (16 / 10_000)
  leaf = lambda tree: np.asarray(tree['generator']['dense_0']['kernel'])  # noqa: E731
  np.testing.assert_allclose(
    leaf(here.ema),
    keep * leaf(there.ema) + (1 - keep) * leaf(here.params),
    rtol=1e-5,
    atol=1e-7,
  )


def grown(levels, faces, base_channels):
  config = example_runs.make_style_config(levels)
  config.model.base_channels = base_channels
  config.train.init_from = faces
  config.growth.images_per_level = 64
  config.train.images = 64 * levels
  return config


def test_more_levels_grow_on_top(faces):
  config, state = begin(grown(5, faces, 1))
  there = loading.load_state(faces).state
  for name in ('generator', 'encoder'):
    for part, weights in there.params[name].items():
      assert_identical(state.params[name][part], weights)
    assert set(state.params[name]) > set(there.params[name])
  assert state.mean_w.shape[0] == 10
  np.testing.assert_array_equal(state.mean_w[:6], there.mean_w)
  np.testing.assert_array_equal(state.mean_w[6:], there.mean_w[np.full(4, 5)])
  # It goes on at the level that the other run had reached, without a fade.
  schedule = build_schedule(config)
  assert [(s.level, s.start) for s in schedule] == [(2, 0), (3, 64), (4, 128)]
  assert [s.fade_images for s in schedule] == [0, 32, 32]


def test_fewer_levels_are_cut(faces):
  config, state = begin(grown(2, faces, 8))
  there = loading.load_state(faces).state
  for name in ('generator', 'encoder'):
    assert set(state.params[name]) < set(there.params[name])
    for part, weights in state.params[name].items():
      assert_identical(weights, there.params[name][part])
  assert [s.level for s in build_schedule(config)] == [1]


def test_a_level_amid_its_fade_grows_in_again(tmp_path):
  config = example_runs.make_style_config(3)
  config.growth.images_per_level = 64
  config.growth.batch_sizes = (16,)
  workdir = example_runs.write_run(tmp_path, config)  # after 16 images
  assert begin(grown(4, workdir, 2))[0].growth.first_level == 0
  folder = open_folder(workdir)
  (folder.checkpoints / '16').rename(folder.checkpoints / '80')
  # 80 images are in the middle of the fade to 8x8, and 112 are behind it.
  assert begin(grown(4, workdir, 2))[0].growth.first_level == 0
  (folder.checkpoints / '80').rename(folder.checkpoints / '112')
  assert begin(grown(4, workdir, 2))[0].growth.first_level == 1


@pytest.mark.parametrize(
  ('field', 'value', 'told'),
  [
    ('model.w_dim', 7, r'model\.w_dim is 6 there and 7 here'),
    ('model.channels', 1, r'model\.channels is 3 there and 1 here'),
    ('model.base_channels', 64, r'give model\.base_channels=4'),
    ('train.init_from', 'nowhere', r'init_from.*nowhere'),
    ('train.init_from', '@', 'init_from'),
  ],
)
def test_what_can_not_fit_is_refused_in_one_line(faces, field, value, told):
  config = grown(3, faces, 4)
  section, name = field.split('.')
  config[section][name] = value
  with pytest.raises(UserError, match=told) as refusal:
    start.settle(config)
  assert '\n' not in str(refusal.value)


def test_a_checkpoint_that_is_not_there_is_refused(faces):
  config = grown(3, faces, 4)
  config.train.init_from = f'{faces}@99'
  with pytest.raises(UserError, match='99'):
    start.settle(config)


def test_quick_compilation_makes_the_same_parameters(tiny_config):
  networks = build_networks(tiny_config)
  quick = state_lib.fresh_state(
    networks, 3, sharding.replicated(sharding.local_mesh())
  )
  slow = jax.jit(
    lambda: state_lib.init_state(networks, 3),
    # As XLA has it where nothing is said; the tests say something.
    compiler_options={'xla_backend_optimization_level': 3},
  )()
  assert_identical(quick, slow)
