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
from alae_jax.models.style_layers import equalize, is_stable

# {'mapping': ..., 'generator': ..., 'encoder': ..., 'discriminator': ...}
Params = dict[str, Any]
Noise = Sequence[jax.Array] | None


@dataclasses.dataclass(frozen=True)
class Stage:
  """How far a StyleALAE has grown; MLP-ALAE has one stage, `Stage(0)`.

  Attributes:
    level: index of the resolution, a static number.
    blend: how far that level has faded in, in [0, 1]; may be traced.
  """

  level: int
  blend: jax.Array | float = 1.0


@dataclasses.dataclass(frozen=True)
class Networks:
  """F, G, E and D as pure functions; images are NHWC in [-1, 1].

  F and D compute in float32, G and E in the `dtype` that they were made for; w,
  logits and images are float32.

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
    feature_names: what E has to show besides w, see `features`.
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
  feature_names: tuple[str, ...] = ()

  @property
  def levels(self) -> int:
    """How many resolutions there are."""
    return len(self.resolutions)

  @property
  def layers(self) -> int:
    """How many styles G takes at the last level."""
    return self.layers_at(self.levels - 1)

  def layers_at(self, level: int) -> int:
    """How many of them are at work at a level."""
    return (level + 1) * self.styles_per_level

  def computing_in(self, dtype: Any) -> 'Networks':
    """The same networks, with G and E computing in another type."""
    return dataclasses.replace(
      self,
      generator=self.generator.clone(dtype=dtype),
      encoder=self.encoder.clone(dtype=dtype),
    )

  def equalized(self) -> 'Networks':
    """The same networks, of parameters that `equalize` has made."""
    return dataclasses.replace(
      self,
      generator=self.generator.clone(equalized=True),
      encoder=self.encoder.clone(equalized=True),
    )

  def equalize(self, params: Params) -> Params:
    """Convolutions' kernels scaled, and in the type that G and E compute in.

    They take part in a training phase many times, and this once. It is linear.
    """

    def of(module, tree):
      return jax.tree.map(
        lambda x: equalize(x, module.dtype) if x.ndim == 4 else x, tree
      )

    modules = {'generator': self.generator, 'encoder': self.encoder}
    return {
      name: of(modules[name], tree) if name in modules else tree
      for name, tree in params.items()
    }

  def idle(self, stage: Stage) -> frozenset[str]:
    """Names of the parts of G and E that a stage does not use.

    Layers of higher levels, and those to and from RGB of the levels that have
    been grown past. No part at work has such a name.
    """
    stable = is_stable(stage.level, stage.blend)
    return frozenset().union(
      self.generator.idle(stage.level, stable),
      self.encoder.idle(stage.level, stable),
    )

  def init(self, key: jax.Array) -> Params:
    """Parameters of every level, drawn from `key`."""
    keys = jax.random.split(key, 4)
    side = self.resolutions[-1]
    samples = {
      'mapping': jnp.zeros((1, self.z_dim)),
      'generator': jnp.zeros((1, self.layers, self.w_dim)),
      'encoder': jnp.zeros((1, side, side, self.channels)),
      'discriminator': jnp.zeros((1, self.w_dim)),
    }
    # Linen makes parameters when a module is called, so call every level.
    methods = {'generator': 'every_level', 'encoder': 'every_level'}
    return {
      name: getattr(self, name).init(key, x, method=methods.get(name))['params']
      for key, (name, x) in zip(keys, samples.items(), strict=True)
    }

  def map(self, params: Params, z: jax.Array) -> jax.Array:
    """F: z [N, z_dim] -> w [N, w_dim]."""
    return self._apply('mapping', params, z)

  def broadcast(self, w: jax.Array) -> jax.Array:
    """The same w for every layer of G: [N, w_dim] -> [N, layers, w_dim]."""
    return jnp.broadcast_to(w[:, None], (w.shape[0], self.layers, self.w_dim))

  def decode(
    self,
    params: Params,
    styles: jax.Array,
    stage: Stage,
    noise: Noise = None,
  ) -> jax.Array:
    """G: styles [N, layers, w_dim] -> images [N, H, W, C].

    Args:
      params: of all networks.
      styles: one w per layer of G, see `broadcast`.
      stage: whose resolution the images have.
      noise: planes from `draw_noise`; None is the deterministic mode.
    """
    return self._apply(
      'generator', params, styles, stage.level, stage.blend, noise
    )

  def encode(
    self, params: Params, images: jax.Array, stage: Stage
  ) -> jax.Array:
    """E: images [N, H, W, C] -> w [N, w_dim]."""
    return self._apply('encoder', params, images, stage.level, stage.blend)

  def score(self, params: Params, w: jax.Array) -> jax.Array:
    """D: w [N, w_dim] -> logits [N]."""
    return self._apply('discriminator', params, w)

  def discriminate(
    self, params: Params, images: jax.Array, stage: Stage
  ) -> jax.Array:
    """D∘E: images [N, H, W, C] -> logits [N]."""
    return self.score(params, self.encode(params, images, stage))

  def features(self, params: Params, images: jax.Array, name: str) -> jax.Array:
    """What E has to show besides w: [N, features], for one of feature_names.

    'hidden' is the last hidden layer of MLP-ALAE. A StyleALAE's E has none:
    all its statistics go into w.
    """
    return self._apply('encoder', params, images, method=f'{name}_features')

  def draw_noise(self, key: jax.Array, n: int, level: int) -> Noise:
    """A Gaussian plane per image and layer of G; none where G takes none."""
    return self.generator.draw_noise(key, n, level)

  def style_weights(self, params: Params, first: int, end: int) -> jax.Array:
    """The linear maps by which some layers of G take w in, side by side.

    Args:
      params: of all networks.
      first: layer to begin with.
      end: layer after the last.

    Returns:
      [w_dim, outputs]; every layer has the same gain, so it is left out.
    """
    kernels = [
      self.generator.style_kernel(params['generator'], layer)
      for layer in range(first, end)
    ]
    return jnp.concatenate(kernels, axis=1)

  def _apply(self, name: str, params: Params, x, *args, **kwargs) -> jax.Array:
    out = getattr(self, name).apply(
      {'params': params[name]}, x.astype(jnp.float32), *args, **kwargs
    )
    return out.astype(jnp.float32)


def build_networks(config: ml_collections.ConfigDict) -> Networks:
  """The networks that a validated config describes."""
  build = {'mlp': _build_mlp, 'style': _build_style}[config.model.kind]
  return build(config.model, config.train)


def _build_mlp(
  model: ml_collections.ConfigDict, train: ml_collections.ConfigDict
) -> Networks:
  dtype = jnp.dtype(train.compute_dtype)
  hidden = tuple(model.hidden)
  side = model.resolution
  return Networks(
    mapping=Mapping(model.w_dim, model.mapping_layers),
    generator=MlpGenerator((side, side, model.channels), hidden, dtype),
    encoder=MlpEncoder(model.w_dim, hidden, dtype),
    discriminator=Discriminator(model.w_dim, model.discriminator_layers),
    z_dim=model.z_dim,
    w_dim=model.w_dim,
    resolutions=(side,),
    channels=model.channels,
    feature_names=('hidden',),
  )


def _build_style(
  model: ml_collections.ConfigDict, train: ml_collections.ConfigDict
) -> Networks:
  widths = model.levels, model.base_channels, model.max_channels, model.w_dim
  how = jnp.dtype(train.compute_dtype), train.remat_resolution
  return Networks(
    mapping=Mapping(model.w_dim, model.mapping_layers),
    generator=StyleGenerator(*widths, model.channels, *how),
    encoder=StyleEncoder(*widths, *how),
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
  )
