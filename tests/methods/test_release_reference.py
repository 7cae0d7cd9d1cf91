"""StyleALAE gives the numbers of the authors' release."""

import jax
import numpy as np
import pytest

from alae_jax.methods import alae
from alae_jax.methods.base import Batch
from alae_jax.models.styles import truncate
from alae_jax.ops import convolution
from alae_jax.runs.optimizer import adam, init_optimizer
from alae_jax.sharding import Layout
from alae_jax.training.step import train_phase
from tests.support import release_cases
from tests.support.steps import mesh_of

FORWARD = 1e-5
GAMMA = 10.0
LEARNING_RATE = 0.002
KEY = jax.random.key(0)  # of nothing: the latents are given


@pytest.fixture(scope='module', params=release_cases.names())
def case(request):
  return release_cases.load(request.param)


def expect(case, key, actual, tolerance=FORWARD):
  """Compares with a golden value; passes where the fixture was cut."""
  if key in case.golden:
    golden = case.golden[key]
    golden = golden.transpose(0, 2, 3, 1) if golden.ndim == 4 else golden
    error = release_cases.relative_error(actual, golden)
    assert error < tolerance, (key, error)


def decode(case, params, styles, noise=None):
  return case.networks.decode(params, styles, case.stage, noise)


def given_phase(monkeypatch, case, index, noise=None):
  """A phase of ALAE on the reference's latents and, in step I, its fakes."""
  latents = alae.Latents(case.golden['z'], noise)
  monkeypatch.setattr(alae, 'draw_latents', lambda *_: latents)
  if index == 0:
    fakes = case.images('xp'), case.golden['w']
    monkeypatch.setattr(alae, 'generate', lambda *_: fakes)
  method = alae.Alae(GAMMA, latent_step_updates_mapping=True)
  return method.phases(case.networks, case.stage)[index]


def evaluate(phase, case):
  """The loss, what comes with it, and the gradients of all networks."""
  batch = Batch(case.images('x'))
  (loss, aux), gradients = jax.jit(
    jax.value_and_grad(
      lambda params: phase.loss(params, batch, phase.draw(batch, KEY)),
      has_aux=True,
    )
  )(case.params)
  return loss, aux, gradients


def check_gradients(case, group, gradients, tolerance):
  """Every golden gradient of a group, and those that must be zero."""
  zeros = set(case.golden['exact_zero_grads'].tolist())
  for key in [k for k in case.golden if k.startswith(f'{group}/')]:
    actual = case.theirs(gradients, key.removeprefix(f'{group}/'), True)
    if key in zeros:
      assert np.abs(actual).max() < 1e-4, key
    else:
      expect_array(key, actual, case.golden[key], tolerance)
  for name in case.golden.get(f'none_{group}', []):
    assert not np.any(case.theirs(gradients, name, True)), name


def expect_array(key, actual, golden, tolerance):
  error = release_cases.relative_error(actual, golden)
  assert error < tolerance, (key, error)


def test_latents_and_their_logits(case):
  networks, golden = case.networks, case.golden
  expect(case, 'w', networks.map(case.params, golden['z']))
  expect(case, 'd_w', networks.score(case.params, golden['w']))
  truncated = truncate(networks.broadcast(golden['w']), case.mean_w, 0.7, 8)
  expect(case, 'trunc_styles', truncated)


def test_images(case):
  draw = jax.jit(lambda params, styles: decode(case, params, styles))
  expect(
    case, 'img', draw(case.params, case.networks.broadcast(case.golden['w']))
  )
  expect(case, 'img_mix', draw(case.params, case.golden['mix_styles']))


def test_images_with_noise(case):
  draw = jax.jit(
    lambda params, styles, noise: decode(case, params, styles, noise)
  )
  styles = case.networks.broadcast(case.golden['w'])
  # Not every case has both: a plane for each image, or one for a layer.
  for kind in ('noise', 'noise_bc'):
    if f'img_{kind}' in case.golden:
      expect(case, f'img_{kind}', draw(case.params, styles, case.noise(kind)))


def test_codes_and_judgements(case):
  @jax.jit
  def run(params, images):
    w = case.networks.encode(params, images, case.stage)
    return w, case.networks.score(params, w)

  enc_w, d_x = run(case.params, case.images('x'))
  expect(case, 'enc_w', enc_w)
  expect(case, 'd_x', d_x)
  if 'xp' in case.golden:
    expect(case, 'd_xp', run(case.params, case.images('xp'))[1])


def test_discriminator_step_and_two_updates(case, monkeypatch):
  if 'xp' not in case.golden:
    pytest.skip('not among the reference numbers')
  phase = given_phase(monkeypatch, case, 0)
  batch = Batch(case.images('x'))

  @jax.jit
  def step(params, opt_state):
    """All that is asked of a step in one program: compiling takes longest."""
    (loss, aux), gradients = jax.value_and_grad(
      lambda params: phase.loss(params, batch, phase.draw(batch, KEY)),
      has_aux=True,
    )(params)
    params, opt_state, _ = train_phase(
      phase,
      lambda params: params,
      adam(LEARNING_RATE),
      Layout(mesh_of(1)),
      params,
      opt_state,
      batch,
      KEY,
    )
    return params, opt_state, loss, aux.scalars, gradients

  params, opt_state, loss, scalars, gradients = step(
    case.params, init_optimizer(case.params)
  )
  expect(case, 'loss_d', loss)
  expect(case, 'loss_d_adv', scalars['loss_discriminator'])
  expect(case, 'loss_d_r1', GAMMA / 2 * scalars['r1_penalty'])
  check_gradients(case, 'grad_d', gradients, 1e-4)
  check_update(case, 'step_d', params)
  params, opt_state, loss, _, _ = step(params, opt_state)
  expect(case, 'loss_d_after_step', loss, 1e-4)
  check_update(case, 'step2_d', params)
  expect(case, 'loss_d_after_step2', step(params, opt_state)[2], 1e-4)
  for name in ('mapping', 'generator'):
    jax.tree.map(np.testing.assert_array_equal, params[name], case.params[name])


def check_update(case, group, params):
  for key in [k for k in case.golden if k.startswith(f'{group}/')]:
    actual = case.theirs(params, key.removeprefix(f'{group}/'))
    expect_array(key, actual, case.golden[key], 1e-5)


def test_generator_step(case, monkeypatch):
  loss, aux, gradients = evaluate(given_phase(monkeypatch, case, 1), case)
  expect(case, 'loss_g', loss)
  expect(case, 'w', aux.w)
  check_gradients(case, 'grad_g', gradients, 2e-2 if case.fused else 1e-4)


def test_generator_step_with_noise(case, monkeypatch):
  if 'noise_0' not in case.golden:
    pytest.skip('not among the reference numbers')
  phase = given_phase(monkeypatch, case, 1, case.noise('noise'))
  loss, _, gradients = evaluate(phase, case)
  expect(case, 'loss_g_noise', loss)
  check_gradients(case, 'grad_g_noise', gradients, 2e-2 if case.fused else 1e-4)


def test_latent_step(case, monkeypatch):
  """F gets a gradient through G's input, as in the release."""
  loss, _, gradients = evaluate(given_phase(monkeypatch, case, 2), case)
  expect(case, 'lae', loss)
  check_gradients(case, 'grad_e', gradients, 2e-2 if case.fused else 1e-4)


@pytest.mark.skipif(
  not release_cases.SHARED.exists(),
  reason='the full reference numbers are not at hand',
)
@pytest.mark.parametrize('name', release_cases.FIXTURE_NAMES)
def test_the_fixtures_are_part_of_the_full_reference(name):
  full = release_cases.load(name)
  tensors, golden = release_cases.fixture_tensors(name)
  for key, value in tensors.items():
    np.testing.assert_array_equal(value, full.tensors[key])
  for key, value in golden.items():
    # The fused images are large: there only the first one travels.
    whole = full.golden[key]
    np.testing.assert_array_equal(
      value, whole[: len(value)] if value.ndim else whole
    )


def test_as_done_for_wide_maps(monkeypatch):
  """The cases' maps are thin; see ops/convolution.py for what that changes."""
  monkeypatch.setattr(convolution, '_THIN', 0)
  case = release_cases.load('style_blend')
  with monkeypatch.context() as patch:
    test_discriminator_step_and_two_updates(case, patch)
  test_generator_step_with_noise(case, monkeypatch)
