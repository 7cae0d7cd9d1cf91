"""Doubling, halving and blurring images and feature maps, NHWC."""

import jax
import jax.numpy as jnp


def upsample(x: jax.Array) -> jax.Array:
  """Nearest-neighbour doubling: [N, H, W, C] -> [N, 2H, 2W, C]."""
  n, h, w, c = x.shape
  x = jnp.broadcast_to(x[:, :, None, :, None], (n, h, 2, w, 2, c))
  return x.reshape(n, 2 * h, 2 * w, c)


def downsample(x: jax.Array) -> jax.Array:
  """Mean of each 2x2 box: [N, 2H, 2W, C] -> [N, H, W, C]."""
  rows = x[:, ::2] + x[:, 1::2]
  return (rows[:, :, ::2] + rows[:, :, 1::2]) * 0.25


@jax.jit  # keeps its name where it is traced, for formats.onnx
def blur(x: jax.Array) -> jax.Array:
  """[1, 2, 1] x [1, 2, 1] / 16 with zeros outside, on [N, H, W, C].

  Two passes of shifted sums: the kernel is separable, and a depthwise
  convolution is many times slower on CPU.
  """
  return _blur_axis(_blur_axis(x, 1), 2)


def _blur_axis(x: jax.Array, axis: int) -> jax.Array:
  """(left + right) / 4 + x / 2 along `axis`."""
  size = x.shape[axis]
  padding = [(0, 0)] * x.ndim
  padding[axis] = (1, 1)
  padded = jnp.pad(x, padding)
  left = jax.lax.slice_in_dim(padded, 0, size, axis=axis)
  right = jax.lax.slice_in_dim(padded, 2, size + 2, axis=axis)
  return (left + right) * 0.25 + x * 0.5


def fade(images: jax.Array, blend: jax.Array | float) -> jax.Array:
  """Real images as a level that fades in sees them (release, paper 5.2).

  Args:
    images: [N, H, W, C].
    blend: 0 gives the images of the level below, doubled; 1 the images.

  Returns:
    [N, H, W, C].
  """
  if isinstance(blend, float) and blend == 1.0:
    return images
  return lerp(upsample(downsample(images)), images, blend)


def lerp(a: jax.Array, b: jax.Array, blend: jax.Array | float) -> jax.Array:
  """From `a` at blend 0 to `b` at blend 1, in the dtype of `a`."""
  return (a * (1 - blend) + b * blend).astype(a.dtype)
