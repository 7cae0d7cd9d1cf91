"""Resizing as the networks' authors did, which their numbers depend on."""

import jax
import jax.numpy as jnp
import numpy as np


def resize_tf1(images: jax.Array, side: int) -> jax.Array:
  """TensorFlow 1's bilinear resize, as FID's frozen graph has it.

  Output pixel i lies at i · old / new of the input: corners are not aligned,
  pixels have no half, and nothing is averaged when it shrinks.

  Args:
    images: float [N, H, W, C].
    side: of the result.

  Returns:
    float [N, side, side, C].
  """
  rows = _matrix(images.shape[1], side)
  columns = _matrix(images.shape[2], side)
  return jnp.einsum(
    'yh,nhwc,xw->nyxc', rows, images, columns, precision='highest'
  )


def resize_half_pixel(images: jax.Array, side: int) -> jax.Array:
  """PyTorch's bilinear resize, which nothing is averaged in when it shrinks.

  Output pixel i lies at (i + 1/2) · old / new - 1/2 of the input
  (`interpolate` with align_corners=False, antialias=False).

  Args:
    images: float [N, H, W, C].
    side: of the result.

  Returns:
    float [N, side, side, C].
  """
  shape = (images.shape[0], side, side, images.shape[3])
  return jax.image.resize(
    images, shape, 'bilinear', antialias=False, precision='highest'
  )


def _matrix(old: int, new: int) -> np.ndarray:
  """The weights of the old pixels in each new one, float32 [new, old]."""
  # In float32, as TensorFlow computes them.
  places = np.arange(new, dtype=np.float32) * np.float32(old / new)
  low = np.floor(places).astype(int)
  high = np.minimum(low + 1, old - 1)
  share = places - low
  weights = np.zeros((new, old), np.float32)
  np.add.at(weights, (np.arange(new), low), 1 - share)
  np.add.at(weights, (np.arange(new), high), share)
  return weights
