"""Path length where it is known: of generators that are linear in w."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from alae_jax.errors import UserError
from alae_jax.inference import pure
from alae_jax.inference.model import Model
from alae_jax.metrics import names, path_length, perceptual, sampling
from alae_jax.metrics.base import Settings
from alae_jax.models.networks import build_networks
from tests.support import example_runs
from tests.support.measured import dataset_of, subject_of

Path = path_length.Path
D = 6


@dataclasses.dataclass(frozen=True)
class Linear:
  """F is a matrix, and so is G: images [N, S, S, 1] = A w, with A in params."""

  side: int = 4
  z_dim: int = D
  layers: int = 1

  def map(self, params, z):
    return z @ params['f']

  def broadcast(self, w):
    return w[:, None]

  def decode(self, params, styles, stage, noise):
    shape = (len(styles), self.side, self.side, 1)
    return (styles[:, 0] @ params['g']).reshape(shape)

  def draw_noise(self, key, n, level):
    return []


def squares(_, images, changes):
  """The squared speed of the pixels."""
  return jnp.square(changes).sum((1, 2, 3))


@pytest.fixture
def params():
  rng = np.random.default_rng(0)
  return {
    'f': rng.normal(size=(D, D)).astype('f4'),
    'g': rng.normal(size=(D, 16)).astype('f4'),
  }


def lengths(params, path, n=64, psi=1.0, networks=None):
  return path_length._lengths(
    networks or Linear(),
    0,
    path,
    squares,
    None,
    params,
    1.0,
    jnp.zeros((1, D)),
    psi,
    sampling.keys_of(0, np.arange(n)),
  )


def latents(n=64):
  keys = jax.vmap(lambda key: jax.random.split(key, 4), out_axes=1)(
    sampling.keys_of(0, np.arange(n))
  )
  z, other = (np.asarray(sampling.draw_z(Linear(), key)) for key in keys[:2])
  return z, other


@pytest.mark.parametrize('full', [True, False])
def test_straight_paths_of_a_linear_generator(params, full):
  z, other = latents()
  # Wherever one looks: |A (w' - w)|², a whole step's.
  expected = np.square((other - z) @ params['f'] @ params['g']).sum(1)
  found = lengths(params, Path('w', full, False))
  np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_arcs_of_a_linear_generator(params):
  z, other = (x.astype(np.float64) for x in latents())
  one, end = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (z, other))
  angle = np.arccos((one * end).sum(1))
  across = end - (one * end).sum(1, keepdims=True) * one
  across /= np.linalg.norm(across, axis=1, keepdims=True)
  # The speed along the circle of radius sqrt(D), at its beginning.
  speed = angle[:, None] * across * D**0.5
  expected = np.square(speed @ params['f'] @ params['g']).sum(1)
  found = lengths(params, Path('z', False, False))
  np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_truncation_shortens_paths(params):
  path = Path('w', False, False)
  half = lengths(params, path, psi=0.5)
  np.testing.assert_allclose(half, lengths(params, path) / 4, rtol=1e-5)


def test_of_a_face_the_middle_counts(params):
  networks = Linear(side=8)
  rng = np.random.default_rng(1)
  params['g'] = rng.normal(size=(D, 64)).astype('f4')
  z, other = latents()
  difference = (other - z) @ params['f'] @ params['g']
  middle = difference.reshape(-1, 8, 8)[:, 3:7, 2:6]
  found = lengths(params, Path('w', False, True), networks=networks)
  np.testing.assert_allclose(found, np.square(middle).sum((1, 2)), rtol=1e-4)


def test_large_images_are_averaged_down():
  images = jnp.arange(512 * 512, dtype=jnp.float32).reshape(1, 512, 512, 1)
  seen = path_length._looked_at(images, False)
  assert seen.shape == (1, 256, 256, 1)
  np.testing.assert_allclose(seen[0, 0, 0, 0], (0 + 1 + 512 + 513) / 4)
  assert path_length._looked_at(images[:, :256, :256], True).shape[1] == 128


def test_slerp_by_hand():
  one, other = jnp.array([[2.0, 0.0]]), jnp.array([[0.0, 5.0]])
  for place, angle in ((0.0, 0.0), (0.5, np.pi / 4), (1.0, np.pi / 2)):
    found = path_length.slerp(one, other, jnp.full((1, 1), place))
    expected = np.sqrt(2) * np.array([[np.cos(angle), np.sin(angle)]])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_outermost_hundredths_are_left_out():
  lengths = np.r_[-1e6, np.arange(1, 199), 1e6]
  # numpy's lower and higher neighbours of the percentiles, both kept: the
  # second and the last but one.
  assert path_length.mean_within(lengths) == np.arange(1, 199).mean()
  assert path_length.mean_within(np.array([3.0])) == 3


@pytest.mark.parametrize(
  ('name', 'side', 'features', 'fault'),
  [
    ('ppl_w_end', 8, 'inception', 'is 8x8, and it takes 16x16 or more'),
    ('ppl_w_end_crop', 16, 'random', 'is 8x8, and it takes 16x16 or more'),
    ('ppl_w_end', 16, 'pixels', "with features 'pixels': it is of LPIPS"),
  ],
)
def test_what_lpips_does_not_take(name, side, features, fault):
  images = dataset_of(np.zeros((4, side, side, 1), np.uint8))
  with pytest.raises(UserError, match=fault):
    names.find(name).check(images, None, Settings(features=features))


@pytest.fixture(scope='module')
def model():
  config = example_runs.make_style_config()
  state = example_runs.make_state(config, scale=0.5)
  return Model(config, build_networks(config), state.ema, state.mean_w)


def compute(name, model, **settings):
  images = dataset_of(np.zeros((4, 16, 16, 3), np.uint8))
  subject = subject_of(model, images, features='random', **settings)
  return names.find(name).compute(subject)


def test_lengths_are_those_of_two_images_in_float64(model):
  """By the definition: LPIPS of images 1e-4 apart, by 1e-8."""
  result = compute('ppl8_w_end', model, rows=4)
  networks, epsilon = model.networks, 1e-4
  keys = sampling.keys_of(0, np.arange(8))
  of_z, of_other, _, of_noise = jax.vmap(
    lambda key: jax.random.split(key, 4), out_axes=1
  )(keys)
  latents = [sampling.draw_z(networks, key) for key in (of_z, of_other)]
  noise = pure._noise_of_each(networks, model.level, of_noise)
  with jax.enable_x64(True):
    exact = networks.computing_in(jnp.float64)
    exactly = functools.partial(
      jax.tree.map, lambda leaf: jnp.asarray(np.asarray(leaf), jnp.float64)
    )
    params = exactly(model.params)
    of_lpips = exactly(perceptual.find('random').params)
    w, end = (
      exact.mapping.apply({'params': params['mapping']}, z)
      for z in exactly(latents)
    )
    images = [
      exact.generator.apply(
        {'params': params['generator']},
        exact.broadcast(w + place * (end - w)),
        model.level,
        1.0,
        exactly(noise),
      )
      for place in (0, epsilon)
    ]
    assert images[0].dtype == jnp.float64
    lengths = perceptual.distance(of_lpips, *images) / epsilon**2
  expected = path_length.mean_within(lengths)
  (found,) = result.numbers.values()
  assert found == pytest.approx(expected, rel=1e-3)


def test_devices_and_batches_do_not_matter(model):
  found = []
  for devices, rows in ((1, 2), (8, 2), (1, 16)):
    mesh = Mesh(np.array(jax.devices()[:devices]), ('data',))
    there = Model(
      model.config, model.networks, model.params, model.mean_w, mesh=mesh
    )
    result = compute('ppl16_w_full', there, rows=rows)
    found += result.numbers.values()
  np.testing.assert_allclose(found[1:], found[0], rtol=1e-6)


def test_a_model_of_styles_has_a_length_for_every_path(model):
  found = {}
  for name in ('ppl16_w_end', 'ppl16_z_full'):
    result = compute(name, model, rows=2)
    found |= result.numbers
    assert result.facts['images'] == 16
    assert result.facts['features_identity'] == 'He normal, seed 0'
  values = np.array(list(found.values()))
  assert np.isfinite(values).all() and (values > 0).all()
  assert len(set(found)) == len(set(values)) == 2


def test_where_nothing_is_active_lengths_are_finite():
  shape = (1, 32, 32, 3)
  params = jax.tree.map(np.zeros_like, perceptual.find('random').params)
  speed = perceptual.squared_speed(params, jnp.zeros(shape), jnp.ones(shape))
  np.testing.assert_array_equal(speed, [0])
