"""The convolutions against the plain definition, and their derivatives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from alae_jax.ops import convolution, winograd
from alae_jax.ops.resample import blur, downsample, fade, upsample


@pytest.fixture(autouse=True)
def float64():
  with jax.enable_x64(True):
    yield


@pytest.fixture(autouse=True, params=['filtered', 'thin'])
def cpu_way(request, monkeypatch):
  """Either of the ways it is done on CPU, whatever the number of channels."""
  monkeypatch.setattr(
    convolution, '_THIN', 100 if request.param == 'thin' else 0
  )
  return request.param


def reference(x, kernel):
  """The definition: a sum over taps of the zero-padded input."""
  h, w = x.shape[1:3]
  padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  return sum(
    jnp.einsum('nhwi,io->nhwo', padded[:, i : i + h, j : j + w], kernel[i, j])
    for i in range(3)
    for j in range(3)
  )


OPERATIONS = {
  'plain': (convolution.conv2d, reference),
  'up': (
    convolution.upsample_conv2d,
    lambda x, kernel: reference(upsample(x), kernel),
  ),
  'down': (
    convolution.downsample_conv2d,
    lambda x, kernel: downsample(reference(x, kernel)),
  ),
}


@pytest.fixture(params=OPERATIONS)
def pair(request):
  return OPERATIONS[request.param]


def draw(*shape, seed=0, dtype=np.float64):
  return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def sample(dtype=np.float64):
  """Odd channel counts, and sides that differ."""
  return draw(2, 4, 6, 7, dtype=dtype), draw(3, 3, 7, 5, seed=1, dtype=dtype)


def scalar(operation, x, kernel):
  return jnp.sum(jnp.sin(operation(x, kernel)))


def penalty(operation, x, kernel):
  """Like R1: the squared gradient of x, to be differentiated again."""
  return jnp.sum(jax.grad(scalar, 1)(operation, x, kernel) ** 2)


def twin(operation, x, kernel):
  return jnp.sum(jax.grad(scalar, 2)(operation, x, kernel) ** 2)


def test_values_agree_with_the_definition_up_to_the_border(pair):
  ours, plain = pair
  np.testing.assert_allclose(ours(*sample()), plain(*sample()), atol=1e-12)


@pytest.mark.parametrize('size', [(1, 2, 2, 1), (1, 2, 4, 2)])
def test_the_smallest_maps(pair, size):
  ours, plain = pair
  x, kernel = draw(*size), draw(3, 3, size[-1], 2)
  np.testing.assert_allclose(ours(x, kernel), plain(x, kernel), atol=1e-12)


@pytest.mark.parametrize('function', [scalar, penalty, twin])
def test_derivatives_agree_with_the_definition(pair, function):
  actual, expected = (
    jax.jit(jax.grad(functools.partial(function, operation), (0, 1)))(*sample())
    for operation in pair
  )
  for a, b in zip(actual, expected, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_derivatives_agree_with_differences(pair):
  check_grads(
    pair[0],
    (draw(1, 2, 2, 2), draw(3, 3, 2, 1)),
    order=3,
    modes=['rev'],
    rtol=1e-4,
  )


FORMS = {
  'plain': convolution._PLAIN,
  'up': convolution._DOUBLING,
  'down': convolution._HALVING,
}


@pytest.mark.parametrize('form', FORMS.values(), ids=FORMS)
def test_accelerators_agree_with_the_definition(form):
  """A run on CPU does not see their branches."""
  x, kernel = sample()
  np.testing.assert_allclose(
    convolution._merged(form, x, kernel),
    convolution._as_it_reads(form, x, kernel),
    atol=1e-12,
  )


@pytest.mark.parametrize(
  'algorithm', [winograd.PLAIN, winograd.DOUBLING, winograd.HALVING]
)
def test_filtering_loses_no_precision(algorithm):
  """In float32, against itself in float64: as good as a sum of 9 x 64 terms."""
  x, kernel = draw(2, 8, 8, 64), draw(3, 3, 64, 64, seed=1)
  exact = winograd.convolve(algorithm, x, kernel)
  rounded = winograd.convolve(algorithm, np.float32(x), np.float32(kernel))
  assert rounded.dtype == np.float32
  assert np.linalg.norm(rounded - exact) < 1e-6 * np.linalg.norm(exact)


@pytest.mark.parametrize(
  'shapes, said',
  [
    (((1, 4, 4, 3), (3, 3, 4, 4)), r'must be \[3, 3, 3, O\]'),
    (((1, 4, 4, 3), (4, 4, 3, 3)), r'must be \[3, 3, 3, O\]'),
    (((1, 3, 4, 3), (3, 3, 3, 3)), 'even sides'),
  ],
)
def test_misshapen_arguments_are_refused(shapes, said):
  with pytest.raises(ValueError, match=said):
    convolution.conv2d(*(draw(*shape) for shape in shapes))


@pytest.mark.parametrize('dtype', [np.float32, jnp.bfloat16])
def test_narrow_types_stay_narrow(pair, dtype):
  x, kernel = sample(dtype)
  gradients = jax.grad(functools.partial(penalty, pair[0]), (0, 1))(x, kernel)
  assert pair[0](x, kernel).dtype == dtype
  assert {g.dtype for g in gradients} == {jnp.dtype(dtype)}
  assert all(np.isfinite(g.astype(np.float32)).all() for g in gradients)


@pytest.mark.parametrize('dtype', [np.float32, jnp.bfloat16])
@pytest.mark.parametrize('platform', ['cpu', 'cuda', 'tpu'])
def test_matrix_products_are_for_cpus(pair, platform, dtype, cpu_way):
  gradient = jax.jit(jax.grad(functools.partial(penalty, pair[0]), (0, 1)))
  text = (
    gradient.trace(*sample(dtype))
    .lower(lowering_platforms=(platform,))
    .as_text()
  )
  assert ('dot_general' in text) == (
    platform == 'cpu' and cpu_way == 'filtered'
  )


def test_upsample_repeats_and_downsample_averages():
  x = draw(2, 4, 6, 3)
  np.testing.assert_array_equal(
    upsample(x), x.repeat(2, axis=1).repeat(2, axis=2)
  )
  np.testing.assert_allclose(
    downsample(x), x.reshape(2, 2, 2, 3, 2, 3).mean((2, 4))
  )


def test_blur_is_the_binomial_kernel_with_zeros_outside():
  x = draw(2, 4, 6, 3)
  kernel = np.outer([1, 2, 1], [1, 2, 1])[:, :, None, None] / 16 * np.eye(3)
  np.testing.assert_allclose(blur(x), reference(x, kernel), atol=1e-12)
  check_grads(blur, (x,), order=2, modes=['rev'])


def test_fade_goes_from_the_level_below_to_the_images():
  x = draw(2, 4, 4, 3)
  below = upsample(downsample(x))
  np.testing.assert_allclose(fade(x, 0.0), below)
  np.testing.assert_allclose(
    fade(x, jnp.float64(0.25)), 0.75 * below + 0.25 * x
  )
  np.testing.assert_array_equal(fade(x, jnp.float64(1.0)), x)
  assert fade(x, 1.0) is x
