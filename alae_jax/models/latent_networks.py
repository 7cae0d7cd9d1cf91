"""The networks on latents, F and D, which both backbones share."""

import jax
from flax import linen as nn

from alae_jax.models.layers import EqualizedDense, leaky_relu, pixel_norm


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
