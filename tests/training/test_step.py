import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alae_jax import config as config_lib
from alae_jax.methods import objectives
from alae_jax.methods.alae import build_alae
from alae_jax.methods.base import Batch
from alae_jax.models.networks import Stage, build_networks
from alae_jax.ops.pixels import to_float
from alae_jax.runs import state as state_lib
from alae_jax.runs.optimizer import adam
from alae_jax.runs.schedule import Segment
from alae_jax.sharding import Layout
from alae_jax.training import step as step_lib
from tests.support.steps import (
  assert_trees_close,
  differs,
  fresh_state,
  mesh_of,
  put,
  step_of,
)

SEGMENT = Segment(
  level=0, start=0, end=1000, batch_size=16, learning_rate=0.002
)


def images(seed, n=16):
  return np.random.default_rng(seed).integers(
    0, 256, (n, 8, 8, 1), dtype=np.uint8
  )


def take_steps(config, mesh, steps=4, segment=SEGMENT):
  step, networks = step_of(config, segment, mesh)
  state = fresh_state(networks, mesh, config.train.shard)
  for i in range(steps):
    batch = put(mesh, images(i, segment.batch_size))
    state, metrics = step(state, batch, np.float32(1))
  return state, metrics, step


@pytest.mark.parametrize('flip', [False, True])
def test_eight_devices_do_what_one_does(tiny_config, flip):
  tiny_config.data.flip = flip
  one, metrics_one, _ = take_steps(tiny_config, mesh_of(1))
  eight, metrics_eight, _ = take_steps(tiny_config, mesh_of(8))
  assert_trees_close(one.params, eight.params, 1e-5)
  assert_trees_close(one.ema, eight.ema, 1e-5)
  assert_trees_close(one.mean_w, eight.mean_w, 1e-5)
  assert_trees_close(metrics_one, metrics_eight, 1e-4)


def test_a_step_in_parts_does_what_one_at_once_does(tiny_config):
  tiny_config.data.flip = True
  whole, metrics, _ = take_steps(tiny_config, mesh_of(8))
  tiny_config.train.microbatches = 2
  parts, metrics_parts, _ = take_steps(tiny_config, mesh_of(8))
  assert_trees_close(whole, parts, 1e-5)
  assert_trees_close(metrics, metrics_parts, 1e-4)


def test_a_state_in_pieces_learns_as_a_whole_one_does(tiny_config):
  tiny_config.model.hidden = (64, 64)  # wide enough to be cut
  whole, metrics, _ = take_steps(tiny_config, mesh_of(1), steps=2)
  for shard in ('state', 'all'):
    tiny_config.train.shard = shard
    layout = Layout(mesh_of(8), shard)
    state, metrics_here, _ = take_steps(tiny_config, layout.mesh, steps=2)
    assert_trees_close(whole, state, 1e-5)
    assert_trees_close(metrics, metrics_here, 1e-4)
    places = state_lib.places(build_networks(tiny_config), layout)
    assert jax.tree.all(
      jax.tree.map(lambda x, place: x.sharding == place, state, places)
    )


def test_the_pieces_that_are_trained_are_float32(tiny_config):
  tiny_config.train.compute_dtype = 'bfloat16'
  tiny_config.train.shard = 'all'
  step, networks = step_of(tiny_config, SEGMENT, mesh_of(8))
  before = jax.eval_shape(lambda: state_lib.init_state(networks, 0))
  after, _ = jax.eval_shape(step, before, images(0), np.float32(1))
  for leaf in jax.tree.leaves((after.params, after.ema, after.opt_state)):
    assert leaf.dtype in (np.float32, np.int32)  # and Adam's clock


def test_the_work_is_shared_by_the_devices(tiny_config):
  tiny_config.model.hidden = (64, 64)
  segment = dataclasses.replace(SEGMENT, batch_size=1024)
  flops = {}
  for devices in (1, 8):
    mesh = mesh_of(devices)
    step, networks = step_of(tiny_config, segment, mesh)
    compiled = step.lower(
      fresh_state(networks, mesh), put(mesh, images(0, 1024)), np.float32(1)
    ).compile()
    flops[devices] = compiled.cost_analysis()['flops']
  assert flops[8] < 1.3 * flops[1] / 8


def test_a_step_compiles_once_and_donates_its_state(tiny_config):
  mesh = mesh_of(8)
  step, networks = step_of(tiny_config, SEGMENT, mesh)
  first = fresh_state(networks, mesh)
  state = first
  for i in range(3):
    state, _ = step(state, put(mesh, images(i)), np.float32(i / 3))
  assert step._cache_size() == 1
  assert all(leaf.is_deleted() for leaf in jax.tree.leaves(first.params))


def moved_by_each_phase(config):
  """Names of the networks that each phase of a config's method changes."""
  networks = build_networks(config)
  state = state_lib.init_state(networks, 0)
  batch = Batch(to_float(jnp.asarray(images(0))))
  moved = []
  for phase in build_alae(config).phases(networks, Stage(0)):
    params, opt_state, _ = jax.jit(
      step_lib.train_phase, static_argnums=(0, 1, 2, 3)
    )(
      phase,
      networks.equalize,
      adam(0.002),
      Layout(mesh_of(1)),
      state.params,
      state.opt_state,
      batch,
      jax.random.key(3),
    )
    changed = {
      name for name in params if differs(state.params[name], params[name])
    }
    assert changed == {
      name for name in params if differs(state.opt_state[name], opt_state[name])
    }
    moved.append(changed)
  return moved


def test_each_step_trains_its_own_networks(tiny_config):
  assert moved_by_each_phase(tiny_config) == [
    {'encoder', 'discriminator'},
    {'mapping', 'generator'},
    {'encoder', 'generator'},
  ]


def test_the_release_s_step_3_moves_the_mapping_too(tiny_config):
  tiny_config.train.latent_step_updates_mapping = True
  assert moved_by_each_phase(tiny_config)[2] == {
    'encoder',
    'generator',
    'mapping',
  }


def test_one_iteration_by_hand(tiny_config):
  """Steps I to III written out once more, plainly, with optax.adam."""
  tiny_config.train.r1_gamma = 3.0
  mesh = mesh_of(1)
  networks = build_networks(tiny_config)
  state = state_lib.init_state(networks, 0)
  adam = optax.adam(0.002, b1=0.0, b2=0.99, eps=1e-8)
  moments = {name: adam.init(tree) for name, tree in state.params.items()}
  keys = jax.random.split(state_lib.step_key(0, jnp.int32(0)), 4)
  reals = images(0).astype(np.float32) / 127.5 - 1

  def fakes(params, key):
    z = jax.random.normal(jax.random.split(key, 3)[0], (16, 4))
    w = networks.map(params, z)
    return networks.decode(params, w[:, None], Stage(0)), w

  def logits(params, x):
    return networks.score(params, networks.encode(params, x, Stage(0)))

  def loss_1(params):
    x, _ = fakes(state.params, keys[1])
    gradient = jax.grad(lambda x: logits(params, x).sum())(reals)
    r1 = (gradient**2).sum() / 16
    return (
      objectives.discriminator_loss(logits(params, reals), logits(params, x))
      + 1.5 * r1
    )

  def loss_2(params):
    return objectives.generator_loss(logits(params, fakes(params, keys[2])[0]))

  def loss_3(params):
    x, w = fakes(params, keys[3])
    return objectives.latent_loss(w, networks.encode(params, x, Stage(0)))

  params, mean_w = dict(state.params), jnp.zeros(6)
  for key, loss, names in (
    (keys[1], loss_1, ('encoder', 'discriminator')),
    (keys[2], loss_2, ('mapping', 'generator')),
    (keys[3], loss_3, ('encoder', 'generator')),
  ):
    mean_w = 0.995 * mean_w + 0.005 * fakes(params, key)[1].mean(axis=0)
    gradients = jax.grad(loss)(params)
    for name in names:
      updates, moments[name] = adam.update(gradients[name], moments[name])
      params[name] = optax.apply_updates(params[name], updates)

  ours, _, _ = take_steps(tiny_config, mesh, steps=1)
  # Adam's first step is the gradient's sign: a rounded zero may go either way.
  assert_trees_close(ours.params, params, 2e-5)
  decay = 0.5 ** (16 / 10_000)
  assert_trees_close(
    ours.ema,
    jax.tree.map(
      lambda old, new: decay * old + (1 - decay) * new, state.params, params
    ),
    2e-5,
  )
  np.testing.assert_allclose(ours.mean_w[0], mean_w, rtol=1e-4, atol=1e-7)
  assert ours.images_seen == 16


def test_steps_draw_fresh_latents(tiny_config):
  keys = [state_lib.step_key(0, jnp.int32(i)) for i in (0, 16)]
  keys += [*jax.random.split(keys[0], 4), state_lib.init_key(0)]
  data = {tuple(np.asarray(jax.random.key_data(key)).tolist()) for key in keys}
  assert len(data) == len(keys)


def test_flips_mirror_half_of_the_images():
  batch = images(0, 400)
  reals = step_lib.prepare_reals(
    jax.random.key(0), jnp.asarray(batch), Stage(0), flip=True
  )
  plain = batch / np.float32(127.5) - 1
  kept = np.isclose(reals, plain, atol=1e-6).all(axis=(1, 2, 3))
  flipped = np.isclose(reals, plain[:, :, ::-1], atol=1e-6).all(axis=(1, 2, 3))
  assert (kept ^ flipped).all()
  assert 150 < kept.sum() < 250
  assert -1 <= reals.min() < reals.max() <= 1


def test_what_a_level_does_not_use_stays_as_it_is():
  """To the last bit, moments and averages too; all else moves."""
  config = config_lib.default_style(levels=2)
  config.model.base_channels = config.model.max_channels = 4
  config.model.z_dim = config.model.w_dim = 4
  config.model.mapping_layers = 1
  segment = dataclasses.replace(SEGMENT, batch_size=8)
  step, networks = step_of(config, segment, mesh_of(1))
  # Parameters that have been trained, and averages that lag behind them.
  before = fresh_state(networks, mesh_of(1))
  draw = np.random.default_rng(1).standard_normal
  trained, lagging = (
    jax.tree.map(lambda leaf: leaf + draw(leaf.shape, np.float32), tree)
    for tree in (before.params, before.ema)
  )
  before = dataclasses.replace(before, params=trained, ema=lagging)
  held = named_leaves(before)
  small = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 3), np.uint8)
  after, _ = step(before, put(mesh_of(1), small), np.float32(1))
  idle = networks.idle(Stage(0))
  assert idle == {'block_1', 'to_rgb_1', 'from_rgb_1'}
  for name, leaf in named_leaves(after).items():
    is_idle = not idle.isdisjoint(name.split('/'))
    assert np.array_equal(leaf, held[name]) == is_idle, name


def named_leaves(state):
  return {
    jax.tree_util.keystr(path, simple=True, separator='/'): np.asarray(leaf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(state)
  }
