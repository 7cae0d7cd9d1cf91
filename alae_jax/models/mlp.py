"""MLP-ALAE: the fully connected networks for small images (paper 5.1).

Images are in [-1, 1] outside, as everywhere in this project, and in [0, 1]
inside, as in the recipe; a gradient with respect to the images is therefore
half of the recipe's, and its gamma of 10 is 40 here.

These networks know one resolution and no noise. They answer the same questions
as StyleALAE's, so that nobody has to ask which of the two they are.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from alae_jax.models.layers import (
  EqualizedDense,
  at_least_float32,
  leaky_relu,
)


class MlpEncoder(nn.Module):
  """E: x -> w.

  Attributes:
    w_dim: size of w.
    hidden: sizes of the hidden layers.
    dtype: what it computes in.
    equalized: nothing to these networks, which have no convolution.
  """

  w_dim: int
  hidden: Sequence[int] = (1024, 1024)
  dtype: Any = jnp.float32
  equalized: bool = False

  def setup(self):
    """Linen's place for submodules that two methods share."""
    self.dense = [EqualizedDense(size) for size in (*self.hidden, self.w_dim)]

  def hidden_features(self, images: jax.Array) -> jax.Array:
    """The last hidden layer of images [N, H, W, C], as [N, hidden[-1]]."""
    x = ((images.reshape(images.shape[0], -1) + 1) / 2).astype(self.dtype)
    for dense in self.dense[:-1]:
      x = leaky_relu(dense(x), 0.2)
    return x

  def __call__(
    self, images: jax.Array, level: int = 0, blend: jax.Array | float = 1.0
  ) -> jax.Array:
    """Encodes images [N, H, W, C] to w [N, w_dim]."""
    del level, blend
    return leaky_relu(self.dense[-1](self.hidden_features(images)), 0.01)

  def every_level(self, images: jax.Array) -> list[jax.Array]:
    """What the one level gives, to create its parameters."""
    return [self(images)]

  @nn.nowrap
  def idle(self, level: int, stable: bool) -> frozenset[str]:
    """No part: there is one level."""
    del level, stable
    return frozenset()


class MlpGenerator(nn.Module):
  """G: w -> x.

  Attributes:
    image_shape: (H, W, C) of the output.
    hidden: sizes of the hidden layers.
    dtype: what it computes in.
    equalized: nothing to these networks, which have no convolution.
  """

  image_shape: tuple[int, int, int]
  hidden: Sequence[int] = (1024, 1024)
  dtype: Any = jnp.float32
  equalized: bool = False

  @nn.compact
  def __call__(
    self,
    styles: jax.Array,
    level: int = 0,
    blend: jax.Array | float = 1.0,
    noise: Sequence[jax.Array] | None = None,
  ) -> jax.Array:
    """Decodes styles [N, 1, w_dim] to images [N, H, W, C]."""
    del level, blend, noise
    x = styles[:, 0].astype(self.dtype)
    for i, size in enumerate(self.hidden):
      x = leaky_relu(EqualizedDense(size, name=f'dense_{i}')(x), 0.01)
    x = EqualizedDense(
      math.prod(self.image_shape), name=f'dense_{len(self.hidden)}'
    )(x)
    return at_least_float32(x).reshape(-1, *self.image_shape) * 2 - 1

  def every_level(self, styles: jax.Array) -> list[jax.Array]:
    """What the one level gives, to create its parameters."""
    return [self(styles)]

  @nn.nowrap
  def idle(self, level: int, stable: bool) -> frozenset[str]:
    """No part: there is one level."""
    del level, stable
    return frozenset()

  @nn.nowrap
  def draw_noise(
    self, key: jax.Array, n: int, level: int
  ) -> tuple[jax.Array, ...]:
    """No planes: all that these images hold comes from w."""
    del key, n, level
    return ()

  @nn.nowrap
  def style_kernel(self, params: Mapping[str, Any], layer: int) -> jax.Array:
    """The first kernel, [w_dim, hidden[0]]: there is one layer, 0."""
    del layer
    return params['dense_0']['kernel']
