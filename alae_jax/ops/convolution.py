"""The three convolutions of StyleALAE: plain, doubling and halving.

Feature maps are NHWC, kernels [3, 3, I, O], borders zero. Two exact identities
make the resampling convolutions 2.25 times cheaper than they read:

  * nearest x2, then conv3x3, is a transposed stride-2 convolution whose 4x4
    kernel is the 3x3 one summed over its four shifts;
  * conv3x3, then the mean of 2x2 boxes, is a stride-2 convolution whose 4x4
    kernel is the 3x3 one averaged over its four shifts.

Accelerators do them so. On CPU, where matrix products are several times faster
than XLA's convolutions and their kernel gradients, `winograd` needs fewer
multiplications still, except where maps are too thin for it to pay.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from alae_jax.ops import winograd
from alae_jax.ops.resample import downsample, upsample

_THIN = 16  # channels up to which XLA's own convolutions are as fast on CPU


def conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Same size: [N, 2H, 2W, I], [3, 3, I, O] -> [N, 2H, 2W, O]."""
  _check(x, kernel, even=True)
  return _convolve(_PLAIN, x, kernel)


def upsample_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """conv2d(nearest x2 of x): [N, H, W, I], [3, 3, I, O] -> [N, 2H, 2W, O]."""
  _check(x, kernel)
  return _convolve(_DOUBLING, x, kernel)


def downsample_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """2x2 means of conv2d: [N, 2H, 2W, I], [3, 3, I, O] -> [N, H, W, O]."""
  _check(x, kernel, even=True)
  return _convolve(_HALVING, x, kernel)


def _check(x: jax.Array, kernel: jax.Array, even: bool = False) -> None:
  if kernel.shape[:2] != (3, 3) or kernel.shape[2] != x.shape[3]:
    raise ValueError(
      f'a kernel of shape {kernel.shape} does not fit maps of '
      f'shape {x.shape}: it must be [3, 3, {x.shape[3]}, O]'
    )
  if even and (x.shape[1] % 2 or x.shape[2] % 2):
    raise ValueError(f'maps of shape {x.shape} must have even sides')


class _Form(NamedTuple):
  """One of the three convolutions."""

  algorithm: winograd.Algorithm
  doubling: bool = False
  halving: bool = False


_PLAIN = _Form(winograd.PLAIN)
_DOUBLING = _Form(winograd.DOUBLING, doubling=True)
_HALVING = _Form(winograd.HALVING, halving=True)


# <_convolve(x, kernel), g> is linear in x, kernel and g, and the functions
# below are its derivatives by g, x and kernel. The derivatives of each are the
# other two, so the second derivative that R1 needs meets nothing else, and each
# is computed as suits the device. The platform is known when a function is
# lowered, not when it is traced: a program exported on CPU for TPU gets the
# TPU's branches.


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve(form: _Form, x: jax.Array, kernel: jax.Array) -> jax.Array:
  """[N, H, W, I], [3, 3, I, O] -> [N, H', W', O]."""
  filtered = None if _is_thin(form, x) else winograd.convolve
  return _by_platform(
    form, lambda forward, *operands: forward(*operands), filtered, x, kernel
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _input_gradient(form: _Form, g: jax.Array, kernel: jax.Array) -> jax.Array:
  """[N, H', W', O], [3, 3, I, O] -> [N, H, W, I]; see `_convolve`."""
  filtered = None if _is_thin(form, g) else winograd.input_gradient
  n, h, w, _ = g.shape
  if form.doubling:
    h, w = h // 2, w // 2
  if form.halving:
    h, w = h * 2, w * 2
  x = jax.ShapeDtypeStruct((n, h, w, kernel.shape[2]), g.dtype)
  return _by_platform(
    form,
    lambda forward, g, kernel: jax.linear_transpose(
      lambda x: forward(x, kernel), x
    )(g)[0],
    filtered,
    g,
    kernel,
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kernel_gradient(form: _Form, x: jax.Array, g: jax.Array) -> jax.Array:
  """[N, H, W, I], [N, H', W', O] -> [3, 3, I, O]; see `_convolve`."""
  filtered = None if x.shape[3] <= _THIN else winograd.kernel_gradient
  kernel = jax.ShapeDtypeStruct((3, 3, x.shape[3], g.shape[3]), x.dtype)
  return _by_platform(
    form,
    lambda forward, x, g: jax.linear_transpose(
      lambda kernel: forward(x, kernel), kernel
    )(g)[0],
    filtered,
    x,
    g,
  )


_convolve.defvjp(
  lambda form, x, kernel: (_convolve(form, x, kernel), (x, kernel)),
  lambda form, inputs, g: (
    _input_gradient(form, g, inputs[1]),
    _kernel_gradient(form, inputs[0], g),
  ),
)
_input_gradient.defvjp(
  lambda form, g, kernel: (_input_gradient(form, g, kernel), (g, kernel)),
  lambda form, inputs, x: (
    _convolve(form, x, inputs[1]),
    _kernel_gradient(form, x, inputs[0]),
  ),
)
_kernel_gradient.defvjp(
  lambda form, x, g: (_kernel_gradient(form, x, g), (x, g)),
  lambda form, inputs, kernel: (
    _input_gradient(form, inputs[1], kernel),
    _convolve(form, inputs[0], kernel),
  ),
)


def _is_thin(form: _Form, x: jax.Array) -> bool:
  """Whether transforming x costs more than the multiplications it saves."""
  channels = x.shape[3]
  return channels <= _THIN or (form == _PLAIN and x.shape[1] > channels)


def _by_platform(form: _Form, derivative, filtered, *operands) -> jax.Array:
  """`derivative` of XLA's convolution, or `filtered` on CPU if there is one."""

  def on_cpu(*operands):
    if not filtered:
      return derivative(functools.partial(_as_it_reads, form), *operands)
    dtype = operands[0].dtype
    wide = jnp.promote_types(dtype, jnp.float32)
    result = filtered(form.algorithm, *(a.astype(wide) for a in operands))
    return result.astype(dtype)

  def elsewhere(*operands):
    return derivative(functools.partial(_merged, form), *operands)

  return jax.lax.platform_dependent(*operands, cpu=on_cpu, default=elsewhere)


def _as_it_reads(form: _Form, x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Faster on CPU than the 4x4 kernel where maps are thin."""
  y = _merged(_PLAIN, upsample(x) if form.doubling else x, kernel)
  return downsample(y) if form.halving else y


def _merged(form: _Form, x: jax.Array, kernel: jax.Array) -> jax.Array:
  """One convolution, with the 4x4 kernel for the doubling and the halving."""
  if form != _PLAIN:
    kernel = _shift_sum(kernel)
  if form.halving:
    kernel /= 4
  dilation, stride = 1 + form.doubling, 1 + form.halving
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    [(dilation, dilation)] * 2,
    lhs_dilation=(dilation, dilation),
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _shift_sum(kernel: jax.Array) -> jax.Array:
  """Sum over the four shifts by one: [3, 3, I, O] -> [4, 4, I, O]."""
  rows = jnp.pad(kernel, ((0, 1), (0, 0), (0, 0), (0, 0)))
  rows += jnp.pad(kernel, ((1, 0), (0, 0), (0, 0), (0, 0)))
  columns = jnp.pad(rows, ((0, 0), (0, 1), (0, 0), (0, 0)))
  return columns + jnp.pad(rows, ((0, 0), (1, 0), (0, 0), (0, 0)))
