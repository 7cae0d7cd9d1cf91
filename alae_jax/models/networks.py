"""The bundle of F, G, E and D that the trainer, evaluation and Model share."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
from flax import linen as nn

from alae_jax.models.latent_networks import Discriminator, Mapping
from alae_jax.models.mlp import MlpEncoder, MlpGenerator
from alae_jax.models.style_encoder import StyleEncoder
from alae_jax.models.style_generator import StyleGenerator

# {'mapping': ..., 'generator': ..., 'encoder': ..., 'discriminator': ...}
Params = dict[str, Any]
Noise = Sequence[jax.Array] | None


@dataclasses.dataclass(frozen=True)
class Networks:
  """F, G, E and D as pure functions; images are NHWC in [-1, 1].

  `level` is the index of the resolution (static), `blend` in [0, 1] how far
  that level has faded in. Everything is computed in `dtype`; w, logits and
  images come back as float32.

  Attributes:
    mapping: F, z -> w.
    generator: G, styles -> images.
    encoder: E, images -> w.
    discriminator: D, w -> logit.
    z_dim: size of z.
    w_dim: size of w.
    resolutions: image side at each level.
    channels: image channels.
    styles_per_level: how many layers of G take a style at each level.
    dtype: what the networks compute in.
  """

  mapping: nn.Module
  generator: nn.Module
  encoder: nn.Module
  discriminator: nn.Module
  z_dim: int
  w_dim: int
  resolutions: tuple[int, ...]
  channels: int
  styles_per_level: int = 1
  dtype: Any = jnp.float32

  @property
  def levels(self) -> int:
    """How many resolutions there are."""
    return len(self.resolutions)

  @property
  def layers(self) -> int:
    """How many styles G takes at the last level."""
    return self.levels * self.styles_per_level

  def init(self, key: jax.Array) -> Params:
    """Parameters of every level, drawn from `key`."""
    keys = jax.random.split(key, 4)
    z = jnp.zeros((1, self.z_dim))
    w = jnp.zeros((1, self.w_dim))
    styles = jnp.zeros((1, self.layers, self.w_dim))
    side = self.resolutions[-1]
    images = jnp.zeros((1, side, side, self.channels))
    return {
      'mapping': self.mapping.init(keys[0], z)['params'],
      'generator': _init_every_level(self.generator, keys[1], styles),
      'encoder': _init_every_level(self.encoder, keys[2], images),
      'discriminator': self.discriminator.init(keys[3], w)['params'],
    }

  def map(self, params: Params, z: jax.Array) -> jax.Array:
    """F: z [N, z_dim] -> w [N, w_dim]."""
    return self._apply(self.mapping, params['mapping'], z)

  def broadcast(self, w: jax.Array) -> jax.Array:
    """The same w for every layer of G: [N, w_dim] -> [N, layers, w_dim]."""
    return jnp.broadcast_to(w[:, None], (w.shape[0], self.layers, self.w_dim))

  def generate(
    self,
    params: Params,
    styles: jax.Array,
    level: int,
    blend: jax.Array | float = 1.0,
    noise: Noise = None,
  ) -> jax.Array:
    """G: styles [N, layers, w_dim] -> images [N, H, W, C].

    Args:
      params: of all networks.
      styles: one w per layer of G, see `broadcast`.
      level: the resolution to generate at.
      blend: how far that level has faded in.
      noise: planes from `draw_noise`; None is the deterministic mode.
    """
    return self._apply(
      self.generator, params['generator'], styles, level, blend, noise
    )

  def encode(
    self,
    params: Params,
    images: jax.Array,
    level: int,
    blend: jax.Array | float = 1.0,
  ) -> jax.Array:
    """E: images [N, H, W, C] -> w [N, w_dim]."""
    return self._apply(self.encoder, params['encoder'], images, level, blend)

  def hidden_features(self, params: Params, images: jax.Array) -> jax.Array:
    """E's last hidden layer, [N, features]; MLP-ALAE only."""
    return self._apply(
      self.encoder, params['encoder'], images, method='hidden_features'
    )

  @property
  def has_hidden_features(self) -> bool:
    """Whether E has a last hidden layer to look at."""
    return hasattr(self.encoder, 'hidden_features')

  def discriminate(self, params: Params, w: jax.Array) -> jax.Array:
    """D: w [N, w_dim] -> logits [N]."""
    return self._apply(self.discriminator, params['discriminator'], w)

  def draw_noise(self, key: jax.Array, n: int, level: int) -> Noise:
    """One Gaussian plane per image and layer of G; None where G takes none."""
    draw = getattr(self.generator, 'draw_noise', None)
    return None if draw is None else draw(key, n, level)

  def _apply(self, module, params, x, *args, **kwargs) -> jax.Array:
    out = module.apply(
      {'params': params}, x.astype(self.dtype), *args, **kwargs
    )
    return out.astype(jnp.float32)


def _init_every_level(module: nn.Module, key: jax.Array, sample: jax.Array):
  """Linen makes parameters when a module is called, so call every level."""
  method = 'every_level' if hasattr(module, 'every_level') else None
  return module.init(key, sample, method=method)['params']


def build_networks(config: ml_collections.ConfigDict) -> Networks:
  """The networks that a validated config describes."""
  build = {'mlp': _build_mlp, 'style': _build_style}[config.model.kind]
  return build(config.model, jnp.dtype(config.train.compute_dtype))


def _build_mlp(model: ml_collections.ConfigDict, dtype) -> Networks:
  hidden = tuple(model.hidden)
  side = model.resolution
  return Networks(
    mapping=Mapping(model.w_dim, model.mapping_layers),
    generator=MlpGenerator((side, side, model.channels), hidden),
    encoder=MlpEncoder(model.w_dim, hidden),
    discriminator=Discriminator(model.w_dim, model.discriminator_layers),
    z_dim=model.z_dim,
    w_dim=model.w_dim,
    resolutions=(side,),
    channels=model.channels,
    dtype=dtype,
  )


def _build_style(model: ml_collections.ConfigDict, dtype) -> Networks:
  widths = model.levels, model.base_channels, model.max_channels, model.w_dim
  return Networks(
    mapping=Mapping(model.w_dim, model.mapping_layers),
    generator=StyleGenerator(*widths, model.channels),
    encoder=StyleEncoder(*widths),
    # Twice as wide as needed, with the logit in the middle: the release's.
    discriminator=Discriminator(
      model.w_dim,
      model.discriminator_layers,
      outputs=2 * model.w_dim,
      logit=model.w_dim,
    ),
    z_dim=model.z_dim,
    w_dim=model.w_dim,
    resolutions=tuple(4 << i for i in range(model.levels)),
    channels=model.channels,
    styles_per_level=2,
    dtype=dtype,
  )
