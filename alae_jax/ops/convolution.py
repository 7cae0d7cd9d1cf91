"""The three convolutions of StyleALAE: plain, doubling and halving.

Feature maps are NHWC, kernels HWIO with an odd side, borders zero. Two exact
identities make the resampling convolutions 2.25 times cheaper than they read:

  * nearest x2, then conv3x3, is a transposed stride-2 convolution whose 4x4
    kernel is the 3x3 one summed over its four shifts;
  * conv3x3, then the mean of 2x2 boxes, is a stride-2 convolution whose 4x4
    kernel is the 3x3 one averaged over its four shifts.

Both are done here as a stride-1 convolution with a 2x2 kernel between the
layouts [H, W, C] and [H/2, W/2, 4C], so that every convolution, and every
derivative of one, is a stride-1 convolution. On the smallest maps making the
4x4 kernel costs more than it saves, and they are done as they read.
"""

import functools

import jax
import jax.numpy as jnp

from alae_jax.ops.resample import downsample, upsample

# What the axes of both operands and of the result stand for.
_FORWARD = ('NHWC', 'HWIO', 'NHWC')
_TURNED = ('NHWC', 'HWOI', 'NHWC')  # input and output channels change places
_CORRELATED = ('CHWN', 'IHWO', 'HWNC')  # sums over images and pixels

# Pixels of the larger map, over the batch, from which a 4x4 kernel is worth
# making: what it saves grows with the map, what it costs is the kernel's size.
_WORTHWHILE_PIXELS = 4096
_LARGE_MAP = 16  # side from which a border is cheap, see below


def conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Stride 1, same size: [N, H, W, I], [k, k, I, O] -> [N, H, W, O]."""
  return _convolve(x, kernel, kernel.shape[0] // 2)


def upsample_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """conv2d(nearest x2 of x): [N, H, W, I], [3, 3, I, O] -> [N, 2H, 2W, O]."""
  n, h, w, _ = x.shape
  if 4 * n * h * w < _WORTHWHILE_PIXELS:
    return conv2d(upsample(x), kernel)
  inputs, outputs = kernel.shape[2:]
  # Of the two outputs a window makes, the first has the odd taps.
  phases = _split_taps(_shift_sum(kernel))[:, ::-1, :, ::-1]
  phases = phases.transpose(0, 2, 4, 1, 3, 5)  # [2, 2, I, 2, 2, O]
  y = _convolve(x, phases.reshape(2, 2, inputs, 4 * outputs), 1)
  y = y.reshape(n, h + 1, w + 1, 2, 2, outputs).transpose(0, 1, 3, 2, 4, 5)
  # The window between pixels i - 1 and i makes the outputs 2i - 1 and 2i.
  return y.reshape(n, 2 * h + 2, 2 * w + 2, outputs)[:, 1:-1, 1:-1]


def downsample_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """2x2 means of conv2d: [N, 2H, 2W, I], [3, 3, I, O] -> [N, H, W, O]."""
  n, h, w, _ = x.shape
  if n * h * w < _WORTHWHILE_PIXELS:
    return downsample(conv2d(x, kernel))
  inputs, outputs = kernel.shape[2:]
  taps = _split_taps(_shift_sum(kernel) / 4).transpose(0, 2, 1, 3, 4, 5)
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  x = x.reshape(n, h // 2 + 1, 2, w // 2 + 1, 2, inputs)
  x = x.transpose(0, 1, 3, 2, 4, 5)
  return _convolve(x.reshape(n, h // 2 + 1, w // 2 + 1, 4 * inputs),
                   taps.reshape(2, 2, 4 * inputs, outputs), 0)


def _shift_sum(kernel: jax.Array) -> jax.Array:
  """Sum over the four shifts by one: [3, 3, I, O] -> [4, 4, I, O]."""
  rows = jnp.pad(kernel, ((0, 1), (0, 0), (0, 0), (0, 0)))
  rows += jnp.pad(kernel, ((1, 0), (0, 0), (0, 0), (0, 0)))
  columns = jnp.pad(rows, ((0, 0), (0, 1), (0, 0), (0, 0)))
  return columns + jnp.pad(rows, ((0, 0), (1, 0), (0, 0), (0, 0)))


def _split_taps(kernel: jax.Array) -> jax.Array:
  """[4, 4, I, O] -> [2 coarse, 2 fine, 2 coarse, 2 fine, I, O]."""
  return kernel.reshape(2, 2, 2, 2, *kernel.shape[2:])


# <_convolve(x, kernel), g> is linear in x, kernel and g, and the functions
# below are its derivatives by g, x and kernel. The derivatives of each are the
# other two, so the second derivative that R1 needs meets nothing else. That
# lets us choose how each is computed: XLA:CPU is several times slower at the
# kernel's gradient, and at convolving without padding, than at matrix products.
# Accelerators are good at all three. The platform is known when a function is
# lowered, not when it is traced: a program exported on CPU for TPU gets the
# TPU's branches.


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: jax.Array, kernel: jax.Array, padding: int) -> jax.Array:
  """Stride 1: [N, H, W, I], [k, k, I, O] -> [N, H+2p-k+1, W+2p-k+1, O]."""
  return _by_platform(_convolve_on_cpu, _native, padding, _FORWARD)(x, kernel)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _input_gradient(g: jax.Array, kernel: jax.Array, padding: int) -> jax.Array:
  """[N, H', W', O], [k, k, I, O] -> [N, H, W, I]; see `_convolve`."""
  kernel = kernel[::-1, ::-1]
  padding = kernel.shape[0] - 1 - padding
  return _by_platform(_convolve_on_cpu, _native, padding, _TURNED)(g, kernel)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _kernel_gradient(x: jax.Array, g: jax.Array, padding: int) -> jax.Array:
  """[N, H, W, I], [N, H', W', O] -> [k, k, I, O]; see `_convolve`."""
  return _by_platform(_products_on_cpu, _native, padding, _CORRELATED)(x, g)


_convolve.defvjp(
    lambda x, kernel, padding: (_convolve(x, kernel, padding), (x, kernel)),
    lambda padding, inputs, g: (
        _input_gradient(g, inputs[1], padding),
        _kernel_gradient(inputs[0], g, padding)))
_input_gradient.defvjp(
    lambda g, kernel, padding: (_input_gradient(g, kernel, padding),
                                (g, kernel)),
    lambda padding, inputs, x: (
        _convolve(x, inputs[1], padding),
        _kernel_gradient(x, inputs[0], padding)))
_kernel_gradient.defvjp(
    lambda x, g, padding: (_kernel_gradient(x, g, padding), (x, g)),
    lambda padding, inputs, kernel: (
        _input_gradient(inputs[1], kernel, padding),
        _convolve(inputs[0], kernel, padding)))


def _by_platform(cpu, default, *options):
  def run(*arrays):
    return jax.lax.platform_dependent(
        *arrays, cpu=lambda *arrays: cpu(*arrays, *options),
        default=lambda *arrays: default(*arrays, *options))
  return run


def _native(x: jax.Array, kernel: jax.Array, padding: int,
            layout: tuple[str, str, str]) -> jax.Array:
  return jax.lax.conv_general_dilated(
      x, kernel, (1, 1), [(padding, padding)] * 2, dimension_numbers=layout)


def _convolve_on_cpu(x: jax.Array, kernel: jax.Array, padding: int,
                     layout: tuple[str, str, str]) -> jax.Array:
  """`_native`, which is three times slower without padding than with it.

  On large maps it pays to pad all the same and to cut the border off; on small
  ones the border weighs more than a sum of one matrix product per tap.
  """
  if padding:
    return _native(x, kernel, padding, layout)
  size = kernel.shape[0]
  height, width = x.shape[1] - size + 1, x.shape[2] - size + 1
  if min(height, width) >= _LARGE_MAP:
    return _native(x, kernel, 1, layout)[:, 1:-1, 1:-1]
  taps = kernel if layout == _FORWARD else kernel.swapaxes(2, 3)
  products = [x[:, i:i + height, j:j + width] @ taps[i, j]
              for i in range(size) for j in range(size)]
  return sum(products[1:], start=products[0])


def _products_on_cpu(x: jax.Array, g: jax.Array, padding: int,
                     _layout: tuple[str, str, str]) -> jax.Array:
  """`_kernel_gradient` by one matrix product per tap of the kernel."""
  height, width = g.shape[1:3]
  size = x.shape[1] + 2 * padding - height + 1
  x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
  # [O, I] is faster than [I, O]: g is transposed once, not each slice of x.
  taps = [jnp.einsum('nhwo,nhwi->oi', g, x[:, i:i + height, j:j + width])
          for i in range(size) for j in range(size)]
  # Transposing is slow where it is fused with what is done to kernels.
  taps = jax.lax.optimization_barrier(jnp.stack(taps).swapaxes(1, 2))
  return taps.reshape(size, size, *taps.shape[1:])
