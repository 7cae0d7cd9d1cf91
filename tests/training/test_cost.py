"""Costs of a step, and how fast it can be, by hand."""

import jax
import jax.numpy as jnp
import pytest

from alae_jax.training.chips import Chip, find
from alae_jax.training.cost import Cost, cost_of, estimate

CHIP = Chip('toy', flops=100.0, traffic=10.0, memory=1000.0)


@pytest.mark.parametrize(
  ('flops', 'traffic', 'seconds', 'share', 'limit'),
  [
    (400.0, 20.0, 4.0, 1.0, 'arithmetic'),
    (100.0, 80.0, 8.0, 0.125, 'traffic'),
  ],
)
def test_the_slower_of_two_is_the_limit(flops, traffic, seconds, share, limit):
  best = estimate(Cost(1, 2, 3, flops, traffic), CHIP, batch_size=16)
  assert best.seconds == seconds
  assert best.images_per_second == 16 / seconds
  assert best.share_of_peak == share
  assert best.limit == limit


def test_memory_is_all_that_is_there_at_once():
  assert Cost(1, 2, 3, 0.0, 0.0).memory == 6


def test_what_the_compiler_says_of_a_product():
  def step(state, x):
    return state + x @ x, x.sum()

  x = jnp.ones((128, 128))
  executable = jax.jit(step, donate_argnums=0).lower(x, x).compile()
  cost = cost_of(executable)
  assert cost.arguments == 2 * 128 * 128 * 4
  # The state's place is taken by the new one: only the sum is fresh.
  assert cost.temporary < 128 * 128 * 4 * 2
  assert cost.flops == pytest.approx(2 * 128**3, rel=0.05)
  assert cost.traffic >= 3 * 128 * 128 * 4


def test_chips_are_known_by_what_jax_calls_them():
  assert find('TPU v5 lite').name == 'v5e'
  assert find('cpu') is None
