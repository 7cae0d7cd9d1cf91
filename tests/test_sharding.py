"""Where the arrays of a train state lie, and how they come together again."""

import jax
import numpy as np
import pytest

from alae_jax import sharding
from alae_jax.models.networks import build_networks
from alae_jax.runs import state as state_lib
from tests.support.runs import make_tiny_config
from tests.support.steps import mesh_of


@pytest.mark.parametrize(
  ('shape', 'piece'),
  [
    ((3, 3, 512, 512), (3, 3, 512, 64)),  # the last of the longest
    ((512, 256), (64, 256)),
    ((4, 4, 500, 256), (4, 4, 500, 32)),  # the longest that can be cut
    ((3, 3, 30, 30), (3, 3, 30, 30)),
    ((4095,), (4095,)),
    ((512,), (512,)),  # not worth it
    ((), ()),
  ],
)
def test_an_array_is_cut_along_its_longest_axis(shape, piece):
  place = sharding.spread(mesh_of(8), shape)
  assert place.shard_shape(shape) == piece
  assert sharding.spread(mesh_of(1), shape).is_fully_replicated


@pytest.mark.parametrize('devices', [1, 2, 4, 8])
def test_a_device_holds_less_of_a_state(devices):
  config = make_tiny_config()
  config.model.hidden = (64, 64)
  networks = build_networks(config)
  held = {}
  for shard in sharding.SPREAD:
    layout = sharding.Layout(mesh_of(devices), shard)
    state = state_lib.abstract_state(
      networks, state_lib.places(networks, layout)
    )
    placed = jax.tree.map(
      lambda leaf: jax.device_put(np.zeros(leaf.shape), leaf.sharding), state
    )
    held[shard] = sum(
      leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(placed)
    )
  kernels = 4 * 4 * 64 * 64  # four of 64x64, of float32
  assert held['none'] - held['state'] == 2 * kernels * (1 - 1 / devices)
  assert held['none'] - held['all'] == 3 * kernels * (1 - 1 / devices)


def test_pieces_come_together_on_this_process_s_devices():
  array = np.arange(64 * 64, dtype=np.float32).reshape(64, 64)
  pieces = jax.device_put(array, sharding.spread(mesh_of(4), array.shape))
  assert not pieces.is_fully_replicated
  whole = sharding.localize({'kernel': pieces}, sharding.local_mesh())['kernel']
  assert whole.is_fully_replicated
  np.testing.assert_array_equal(whole, array)
