"""Layers that MLP-ALAE and StyleALAE share."""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn

SQRT_2 = math.sqrt(2.0)


def leaky_relu(x: jax.Array, slope: float = 0.2) -> jax.Array:
  """max(x, slope * x), the activation of every ALAE network."""
  return jnp.where(x >= 0, x, slope * x)


def pixel_norm(x: jax.Array, epsilon: float = 1e-8) -> jax.Array:
  """Scales each vector along the last axis to a mean square of one.

  Args:
    x: [..., features].
    epsilon: added to the mean square.

  Returns:
    [..., features], x * rsqrt(mean(x^2) + epsilon) (Karras et al. 2018).
  """
  return x * jax.lax.rsqrt(
    jnp.mean(jnp.square(x), axis=-1, keepdims=True) + epsilon
  )


class EqualizedDense(nn.Module):
  """Linear layer with an equalised learning rate (Karras et al. 2018).

  The kernel is stored as N(0, 1/lrmul) and used times
  gain / sqrt(fan_in) * lrmul; the bias is stored plainly and used times lrmul.
  Adam is blind to the scale of a parameter, so every layer learns at the same
  relative rate, and a layer with lrmul < 1 that much slower.

  Attributes:
    features: output size.
    gain: He gain; sqrt(2) before a leaky ReLU.
    lrmul: learning-rate multiplier.
  """

  features: int
  gain: float = SQRT_2
  lrmul: float = 1.0

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """[..., fan_in] -> [..., features]."""
    fan_in = x.shape[-1]
    kernel = self.param(
      'kernel',
      nn.initializers.normal(1 / self.lrmul),
      (fan_in, self.features),
      jnp.float32,
    )
    bias = self.param(
      'bias', nn.initializers.zeros, (self.features,), jnp.float32
    )
    scale = self.gain / math.sqrt(fan_in) * self.lrmul
    # The small operand is scaled: fewer multiplies than scaling x.
    return x @ (kernel * scale).astype(x.dtype) + (bias * self.lrmul).astype(
      x.dtype
    )


class Mapping(nn.Module):
  """F: z -> w, pixel norm and then linear layers with leaky ReLU (paper 4).

  Attributes:
    w_dim: size of w and of every hidden layer.
    layers: number of linear layers.
  """

  w_dim: int
  layers: int

  @nn.compact
  def __call__(self, z: jax.Array) -> jax.Array:
    """[N, z_dim] -> [N, w_dim]."""
    x = pixel_norm(z)
    for i in range(self.layers):
      x = leaky_relu(
        EqualizedDense(self.w_dim, lrmul=0.1, name=f'dense_{i}')(x)
      )
    return x


class Discriminator(nn.Module):
  """D: w -> logit, linear layers only (no activations), as in the release.

  Attributes:
    w_dim: size of w and of the hidden layers.
    layers: number of linear layers.
    outputs: size of the last layer; the release makes it wider than needed.
    logit: 0-based index of the output that is the logit.
  """

  w_dim: int
  layers: int = 3
  outputs: int = 1
  logit: int = 0

  @nn.compact
  def __call__(self, w: jax.Array) -> jax.Array:
    """[N, w_dim] -> logits [N]."""
    x = w
    for i in range(self.layers - 1):
      x = EqualizedDense(self.w_dim, lrmul=0.1, name=f'dense_{i}')(x)
    x = EqualizedDense(
      self.outputs, lrmul=0.1, name=f'dense_{self.layers - 1}'
    )(x)
    return x[:, self.logit]
