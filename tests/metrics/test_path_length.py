"""Path length where it is known: of generators that are linear in w."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alae_jax.errors import UserError
from alae_jax.metrics import names, path_length, sampling
from alae_jax.metrics.base import Settings
from tests.support.measured import dataset_of

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


def squares(_, one, other):
  """The squared distance of the pixels."""
  return jnp.square(one - other).sum((1, 2, 3))


@pytest.fixture
def params():
  rng = np.random.default_rng(0)
  # Of a size that a step of 1e-4 is well above the rounding of float32.
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
  # Images are rounded to 1e-7 or so of themselves, and differ by 1e-4.
  np.testing.assert_allclose(found, expected, rtol=0.03)


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
  np.testing.assert_allclose(found, expected, rtol=0.03)


def test_truncation_shortens_paths(params):
  path = Path('w', False, False)
  half = lengths(params, path, psi=0.5)
  np.testing.assert_allclose(half, lengths(params, path) / 4, rtol=0.05)


def test_of_a_face_the_middle_counts(params):
  networks = Linear(side=8)
  rng = np.random.default_rng(1)
  params['g'] = rng.normal(size=(D, 64)).astype('f4')
  z, other = latents()
  difference = (other - z) @ params['f'] @ params['g']
  middle = difference.reshape(-1, 8, 8)[:, 3:7, 2:6]
  found = lengths(params, Path('w', False, True), networks=networks)
  np.testing.assert_allclose(found, np.square(middle).sum((1, 2)), rtol=0.03)


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


def test_a_model_of_styles_has_a_length_for_every_path():
  from alae_jax.metrics.base import Subject
  from alae_jax.metrics.crew import Crew
  from tests.support import example_runs

  model = example_runs.style_model()
  images = dataset_of(np.zeros((4, 16, 16, 3), np.uint8))
  settings = Settings(features='random', rows=1)
  subject = Subject(model, images, None, settings, Crew(model.mesh))
  found = {}
  for name in ('ppl16_w_end', 'ppl16_w_full', 'ppl16_z_end'):
    result = names.find(name).compute(subject)
    found |= result.numbers
    assert result.facts['images'] == 16
    assert result.facts['features_identity'] == 'He normal, seed 0'
  values = np.array(list(found.values()))
  assert np.isfinite(values).all() and (values > 0).all()
  assert len(set(found)) == len(set(values)) == 3
  assert functools.reduce(max, values) < 1e6
