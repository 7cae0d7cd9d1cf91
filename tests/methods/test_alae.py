"""ALAE draws what the paper and the release say; the release's numbers are
compared in test_release_reference.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alae_jax.methods import alae
from alae_jax.methods.base import Batch
from alae_jax.models.networks import Stage, build_networks
from tests.support.example_runs import make_state, make_style_config


@pytest.fixture(scope='module')
def case():
  config = make_style_config(levels=3)
  return build_networks(config), make_state(config).params


def draw_many(networks, level, probability, count=4000):
  """The cutoffs of so many iterations."""
  batch = Batch(jnp.zeros((2, 4 << level, 4 << level, 3)))

  def draw(key):
    return alae.draw_latents(
      key, networks, Stage(level), batch, probability
    ).cutoff

  return jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), count))


@pytest.mark.parametrize('level', [0, 2])
def test_the_cutoff_is_uniform_with_both_ends(case, level):
  """The release draws it from {1, ..., layers}; the last mixes none."""
  layers = 2 * (level + 1)
  cutoffs = np.asarray(draw_many(case[0], level, 1.0))
  values, counts = np.unique(cutoffs, return_counts=True)
  assert values.tolist() == list(range(1, layers + 1))
  # Five standard deviations of a binomial around the even share.
  share = 1 / layers
  spread = 5 * np.sqrt(share * (1 - share) / len(cutoffs))
  np.testing.assert_allclose(counts / len(cutoffs), share, atol=spread)


@pytest.mark.parametrize(('level', 'mixing'), [(0, 0.45), (2, 0.75)])
def test_how_often_a_step_really_mixes(case, level, mixing):
  """0.9 times 1/2 at 4x4, and times 5/6 at 16x16."""
  cutoffs = np.asarray(draw_many(case[0], level, 0.9))
  np.testing.assert_allclose(
    np.mean(cutoffs < 2 * (level + 1)), mixing, atol=0.04
  )


def test_the_second_latent_takes_over_at_the_cutoff(case, monkeypatch):
  networks, params = case
  seen = []
  monkeypatch.setattr(
    type(networks),
    'decode',
    lambda self, params, styles, stage, noise: seen.append(styles),
  )
  z = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 4)), jnp.float32)
  latents = alae.Latents(z[0], None, z[1], 4)
  _, w = alae.generate(networks, Stage(2), params, latents)
  first, second = (networks.map(params, z[i]) for i in (0, 1))
  np.testing.assert_array_equal(w, first)
  for layer in range(6):
    expected = first if layer < 4 else second
    np.testing.assert_array_equal(seen[0][:, layer], expected)


def test_step_3_never_mixes(case):
  networks, _ = case
  batch = Batch(jnp.zeros((2, 4, 4, 3)))
  phases = alae.Alae(style_mixing_probability=0.9).phases(networks, Stage(0))
  drawn = [phase.draw(batch, jax.random.key(0)) for phase in phases]
  assert [latents.z_mixed is None for latents in drawn] == [False, False, True]


def test_each_phase_tells_its_w(case):
  """They move the mean of w, as the release's do in every step."""
  networks, params = case
  batch = Batch(jnp.zeros((5, 4, 4, 3)))
  for phase in alae.Alae().phases(networks, Stage(0)):
    drawn = phase.draw(batch, jax.random.key(0))
    _, aux = jax.eval_shape(phase.loss, params, batch, drawn)
    assert aux.w.shape == (5, networks.w_dim), phase.name
