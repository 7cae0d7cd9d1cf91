"""A batch in parts teaches what it does at once; each device keeps its rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alae_jax import sharding
from alae_jax.methods.alae import build_alae
from alae_jax.methods.base import Batch
from alae_jax.models.networks import Stage, build_networks
from alae_jax.training.microbatches import differentiate, in_parts
from tests.support.example_runs import make_state, make_style_config
from tests.support.runs import make_tiny_config
from tests.support.steps import assert_trees_close, distance, mesh_of, put

MESH = mesh_of(8)
BATCH = 32
TRAVELS = ('all-to-all', 'collective-permute', 'all-gather')


def style_config():
  config = make_style_config(levels=2)
  config.train.style_mixing_probability = 0.9
  return config


def of_all_phases(config, microbatches):
  """The gradients and scalars of each phase, and the program's text."""
  networks = build_networks(config)
  stage = Stage(networks.levels - 1, 0.5)
  phases = build_alae(config).phases(networks.equalized(), stage)
  layout = sharding.Layout(MESH)

  def run(params, reals):
    batch = Batch(reals, layout.share)
    return {
      phase.name: differentiate(
        phase,
        networks.equalize,
        layout,
        params,
        batch,
        jax.random.key(i),
        microbatches,
      )
      for i, phase in enumerate(phases)
    }

  side = networks.resolutions[-1]
  shape = BATCH, side, side, networks.channels
  reals = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
  params = jax.device_put(make_state(config).params, sharding.replicated(MESH))
  compiled = jax.jit(run).lower(params, put(MESH, reals)).compile()
  return compiled(params, put(MESH, reals)), compiled.as_text()


@pytest.mark.parametrize('make', [make_tiny_config, style_config])
def test_parts_give_the_gradients_of_the_batch(make):
  whole, _ = of_all_phases(make(), 1)
  parts, program = of_all_phases(make(), 4)
  assert parts.keys() == {'discriminator', 'generator', 'latent'}
  for name, (gradients, aux) in parts.items():
    for network in gradients:
      error = distance(whole[name][0][network], gradients[network])
      assert error < 1e-5, (name, network)
    assert_trees_close(whole[name][1].scalars, aux.scalars, 1e-5)
    np.testing.assert_allclose(
      jnp.mean(whole[name][1].w, 0), jnp.mean(aux.w, 0), rtol=1e-4, atol=1e-5
    )
  assert 'while' in program
  for travels in TRAVELS:
    assert travels not in program


def test_a_part_takes_rows_of_every_device():
  rows = put(MESH, np.arange(BATCH))
  parts, cutoff = jax.jit(in_parts, static_argnums=1)((rows, 7), 2)
  np.testing.assert_array_equal(parts[1], np.arange(1, BATCH, 2))
  np.testing.assert_array_equal(cutoff, [7, 7])
  assert {shard.data.shape for shard in parts.addressable_shards} == {(2, 2)}
