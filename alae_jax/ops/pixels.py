"""Pixels: uint8 [0, 255] outside, float [-1, 1] inside; told here alone."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike


def to_float(images: jax.Array) -> jax.Array:
  """uint8 [0, 255] -> float32 [-1, 1]; floats pass."""
  if images.dtype == jnp.uint8:
    return images.astype(jnp.float32) / 127.5 - 1
  return images


def to_bytes(images: jax.Array) -> jax.Array:
  """`to_uint8` on the devices: uint8, rounded and clipped."""
  return jnp.clip(jnp.rint((images + 1) * 127.5), 0, 255).astype(jnp.uint8)


def to_uint8(images: ArrayLike) -> np.ndarray:
  """Float [-1, 1] -> uint8 [0, 255], rounded and clipped."""
  images = np.asarray(images, np.float32)
  return np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)
