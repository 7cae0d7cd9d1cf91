"""The three convolutions of StyleALAE: plain, doubling and halving.

Feature maps are NHWC, kernels HWIO with an odd side, borders zero. Two exact
identities make the resampling convolutions 2.25 times cheaper than they read:

  * nearest x2, then conv3x3, is a transposed stride-2 convolution whose 4x4
    kernel is the 3x3 one summed over its four shifts;
  * conv3x3, then the mean of 2x2 boxes, is a stride-2 convolution whose 4x4
    kernel is the 3x3 one averaged over its four shifts.

Both are done here as a stride-1 convolution with a 2x2 kernel between the
layouts [H, W, C] and [H/2, W/2, 4C], so that every convolution, and every
derivative of one, is a stride-1 convolution.
"""

import functools

import jax
import jax.numpy as jnp

_LAYOUT = ('NHWC', 'HWIO', 'NHWC')
# A kernel's gradient sums over images and pixels: as a convolution, N and C
# change places and the output's gradient is the kernel.
_KERNEL_GRADIENT_LAYOUT = ('CHWN', 'IHWO', 'HWNC')
_LARGE_MAP = 16  # side from which a border is cheap, see below


def conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Stride 1, same size: [N, H, W, I], [k, k, I, O] -> [N, H, W, O]."""
  return _convolve(x, kernel, kernel.shape[0] // 2)


def upsample_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """conv2d(nearest x2 of x): [N, H, W, I], [3, 3, I, O] -> [N, 2H, 2W, O]."""
  n, h, w, _ = x.shape
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


# jax differentiates a convolution into convolutions with other layouts, and
# the one for the kernel is slow on CPU. R1 differentiates twice, so a gradient
# of our own for the first order only would not do: the two functions below
# are each other's derivatives, and no slow one appears at any order.
#
# What suits CPU does not suit accelerators, whose native convolutions are
# good. The platform is known when a function is lowered, not when it is
# traced: so a program exported on CPU for TPU gets the TPU's branch.


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: jax.Array, kernel: jax.Array, padding: int) -> jax.Array:
  """Stride 1: [N, H, W, I], [k, k, I, O] -> [N, H+2p-k+1, W+2p-k+1, O]."""
  native = functools.partial(_native, padding=padding, layout=_LAYOUT)
  if padding:
    return native(x, kernel)
  return jax.lax.platform_dependent(
      x, kernel, cpu=_convolve_unpadded_on_cpu, default=native)


def _convolve_forward(x, kernel, padding):
  return _convolve(x, kernel, padding), (x, kernel)


def _convolve_backward(padding, residuals, g):
  x, kernel = residuals
  return _input_gradient(g, kernel, padding), _kernel_gradient(x, g, padding)


def _input_gradient(g: jax.Array, kernel: jax.Array, padding: int) -> jax.Array:
  """The convolution of g with the kernel turned by 180 degrees."""
  turned = kernel[::-1, ::-1].swapaxes(2, 3)
  return _convolve(g, turned, kernel.shape[0] - 1 - padding)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _kernel_gradient(x: jax.Array, g: jax.Array, padding: int) -> jax.Array:
  """[N, H, W, I], [N, H', W', O] -> [k, k, I, O], k = H + 2p - H' + 1."""
  return jax.lax.platform_dependent(
      x, g,
      cpu=functools.partial(_kernel_gradient_on_cpu, padding=padding),
      default=functools.partial(
          _native, padding=padding, layout=_KERNEL_GRADIENT_LAYOUT))


def _kernel_gradient_forward(x, g, padding):
  return _kernel_gradient(x, g, padding), (x, g)


def _kernel_gradient_backward(padding, residuals, kernel):
  x, g = residuals
  return _input_gradient(g, kernel, padding), _convolve(x, kernel, padding)


_convolve.defvjp(_convolve_forward, _convolve_backward)
_kernel_gradient.defvjp(_kernel_gradient_forward, _kernel_gradient_backward)


def _native(x, kernel, padding, layout):
  return jax.lax.conv_general_dilated(
      x, kernel, (1, 1), [(padding, padding)] * 2, dimension_numbers=layout)


def _convolve_unpadded_on_cpu(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """[N, H, W, I], [k, k, I, O] -> [N, H-k+1, W-k+1, O].

  XLA's convolution is three times slower without padding than with it. On
  large maps it pays to pad and to cut the border off again; on small ones the
  border weighs more than a sum of one matrix product per tap.
  """
  size = kernel.shape[0]
  height, width = x.shape[1] - size + 1, x.shape[2] - size + 1
  if min(height, width) >= _LARGE_MAP:
    return _native(x, kernel, 1, _LAYOUT)[:, 1:-1, 1:-1]
  return sum(x[:, i:i + height, j:j + width] @ kernel[i, j]
             for i in range(size) for j in range(size))


def _kernel_gradient_on_cpu(x: jax.Array, g: jax.Array,
                            padding: int) -> jax.Array:
  """One matrix product per tap of the kernel; see `_kernel_gradient`."""
  height, width = g.shape[1:3]
  size = x.shape[1] + 2 * padding - height + 1
  x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
  # [O, I] is faster than [I, O]: g is transposed once, not each slice of x.
  taps = [jnp.einsum('nhwo,nhwi->oi', g, x[:, i:i + height, j:j + width])
          for i in range(size) for j in range(size)]
  return jnp.stack(taps).reshape(size, size, *taps[0].shape).swapaxes(2, 3)
