"""StyleALAE gives the numbers of the authors' release."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alae_jax.models.styles import truncate
from alae_jax.ops import convolution
from tests.support import release_cases

FORWARD = 1e-5
GAMMA = 10.0
LEARNING_RATE = 0.002


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


def encode(case, params, images):
  return case.networks.encode(params, images, case.level, case.blend)


def judge(case, params, images):
  return case.networks.discriminate(params, encode(case, params, images))


def generate(case, params, styles, noise=None):
  return case.networks.generate(params, styles, case.level, case.blend, noise)


def decode(case, params, z, noise=None):
  styles = case.networks.broadcast(case.networks.map(params, z))
  return generate(case, params, styles, noise)


def discriminator_loss(params, case, x, xp):
  """Step I, on real images x and fake ones xp."""
  gradient, logits = jax.grad(
    lambda x: (lambda d: (d.sum(), d))(judge(case, params, x)), has_aux=True
  )(x)
  adversarial = jnp.mean(
    jax.nn.softplus(judge(case, params, xp)) + jax.nn.softplus(-logits)
  )
  penalty = GAMMA / 2 * jnp.mean(jnp.sum(jnp.square(gradient), (1, 2, 3)))
  return adversarial + penalty, (adversarial, penalty)


def generator_loss(params, case, z, noise=None):
  """Step II."""
  fake = decode(case, params, z, noise)
  return jnp.mean(jax.nn.softplus(-judge(case, params, fake)))


def latent_loss(params, case, z):
  """Step III; F gets a gradient through G's input, as in the release."""
  w = case.networks.map(params, z)
  images = generate(case, params, case.networks.broadcast(w))
  difference = jax.lax.stop_gradient(w) - encode(case, params, images)
  return jnp.mean(jnp.square(difference))


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
  expect(case, 'd_w', networks.discriminate(case.params, golden['w']))
  truncated = truncate(networks.broadcast(golden['w']), case.mean_w, 0.7, 8)
  expect(case, 'trunc_styles', truncated)


def test_images(case):
  draw = jax.jit(lambda params, styles: generate(case, params, styles))
  expect(
    case, 'img', draw(case.params, case.networks.broadcast(case.golden['w']))
  )
  expect(case, 'img_mix', draw(case.params, case.golden['mix_styles']))


def test_images_with_noise(case):
  draw = jax.jit(
    lambda params, styles, noise: generate(case, params, styles, noise)
  )
  styles = case.networks.broadcast(case.golden['w'])
  # Not every case has both: a plane for each image, or one for a layer.
  for kind in ('noise', 'noise_bc'):
    if f'img_{kind}' in case.golden:
      expect(case, f'img_{kind}', draw(case.params, styles, case.noise(kind)))


def test_codes_and_judgements(case):
  @jax.jit
  def run(params, images):
    w = encode(case, params, images)
    return w, case.networks.discriminate(params, w)

  enc_w, d_x = run(case.params, case.images('x'))
  expect(case, 'enc_w', enc_w)
  expect(case, 'd_x', d_x)
  if 'xp' in case.golden:
    expect(case, 'd_xp', run(case.params, case.images('xp'))[1])


def test_discriminator_step_and_two_updates(case):
  if 'xp' not in case.golden:
    pytest.skip('not among the reference numbers')
  optimizer = optax.chain(
    optax.scale_by_rms(0.99, eps=1e-8, eps_in_sqrt=False, bias_correction=True),
    optax.scale(-LEARNING_RATE),
  )

  @jax.jit
  def step(params, state):
    (loss, parts), gradients = jax.value_and_grad(
      discriminator_loss, has_aux=True
    )(params, case, case.images('x'), case.images('xp'))
    updates, state = optimizer.update(gradients, state)
    params = optax.apply_updates(params, updates)
    return params, state, loss, parts, gradients

  params, state, loss, parts, gradients = step(
    case.params, optimizer.init(case.params)
  )
  expect(case, 'loss_d', loss)
  expect(case, 'loss_d_adv', parts[0])
  expect(case, 'loss_d_r1', parts[1])
  check_gradients(case, 'grad_d', gradients, 1e-4)
  check_update(case, 'step_d', params)
  params, state, loss, _, _ = step(params, state)
  expect(case, 'loss_d_after_step', loss, 1e-4)
  check_update(case, 'step2_d', params)
  expect(case, 'loss_d_after_step2', step(params, state)[2], 1e-4)


def check_update(case, group, params):
  for key in [k for k in case.golden if k.startswith(f'{group}/')]:
    actual = case.theirs(params, key.removeprefix(f'{group}/'))
    expect_array(key, actual, case.golden[key], 1e-5)


def test_generator_step(case):
  loss, gradients = jax.jit(
    jax.value_and_grad(
      lambda params: generator_loss(params, case, case.golden['z'])
    )
  )(case.params)
  expect(case, 'loss_g', loss)
  check_gradients(case, 'grad_g', gradients, 2e-2 if case.fused else 1e-4)


def test_generator_step_with_noise(case):
  if 'noise_0' not in case.golden:
    pytest.skip('not among the reference numbers')
  loss, gradients = jax.jit(
    jax.value_and_grad(
      lambda params: generator_loss(
        params, case, case.golden['z'], case.noise('noise')
      )
    )
  )(case.params)
  expect(case, 'loss_g_noise', loss)
  check_gradients(case, 'grad_g_noise', gradients, 2e-2 if case.fused else 1e-4)


def test_latent_step(case):
  loss, gradients = jax.jit(
    jax.value_and_grad(
      lambda params: latent_loss(params, case, case.golden['z'])
    )
  )(case.params)
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
  test_discriminator_step_and_two_updates(case)
  test_generator_step_with_noise(case)
