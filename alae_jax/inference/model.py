"""A trained model in a user's hands: encode, decode, generate, reconstruct."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jax.sharding import Mesh
from jax.typing import ArrayLike

from alae_jax import sharding
from alae_jax.inference import arguments, pure
from alae_jax.inference.batching import in_pieces
from alae_jax.models import styles as styles_lib
from alae_jax.models.networks import Networks, Params
from alae_jax.ops.pixels import to_float

# In one call of a network, on each device; what is more is split.
_PIXELS_AT_ONCE = 2**20
_IMAGES_AT_ONCE = 1024
_LATENTS_AT_ONCE = 8192


class Model:
  """The four networks with their parameters, at one resolution.

  Every method takes any number of images or latents: they are split into
  pieces that fit memory, spread over the devices, and compiled once per shape.
  What it returns is in the host's memory. How a batch is split changes no
  random number: each image has a key of its own.

  Attributes:
    config: the run's config.
    params: of the four networks.
    mean_w: [layers, w_dim], the centre that truncation draws w to.
    level: index of the resolution that the model works at.
    blend: how far that level has faded in.
    images_seen: of the checkpoint, where it comes from one.
    weights: 'ema' or 'live', likewise.
    address: where on the hub it comes from, with the commit; '' for nowhere.
    pure: the networks as pure functions of parameters, for jit, grad and vmap.
    networks: that the parameters are of.
    mesh: the devices that share each piece.
  """

  def __init__(
    self,
    config: ml_collections.ConfigDict,
    networks: Networks,
    params: Params,
    mean_w: jax.Array,
    level: int | None = None,
    blend: float = 1.0,
    mesh: Mesh | None = None,
    images_seen: int | None = None,
    weights: str | None = None,
    address: str = '',
  ):
    self.mesh = mesh or sharding.local_mesh()
    self.config = config
    self.params = sharding.localize(params, self.mesh)
    self.mean_w = sharding.localize(mean_w, self.mesh)
    self.level = networks.levels - 1 if level is None else level
    self.blend = blend
    self.images_seen = images_seen
    self.weights = weights
    self.address = address
    self.pure = pure.pure_functions(networks, self.level, blend)
    self.networks = networks

  def __repr__(self) -> str:
    side, colours = self.resolution, 'grey' if self.channels == 1 else 'RGB'
    level = f'level {self.level + 1} of {self.networks.levels}'
    grown = self.active_layers == self.layers and self.blend == 1
    size = sum(leaf.size for leaf in jax.tree.leaves(self.params))
    facts = [
      self.config.model.kind,
      f'{side}x{side} {colours}',
      '' if grown else f'{level}, {self.blend:.0%} faded in',
      f'z_dim {self.z_dim}, w_dim {self.w_dim}',
      f'layers of styles {self.layers}',
      f'{size:,} parameters',
      '' if self.images_seen is None else f'{self.images_seen:,} images seen',
      f'{self.weights} weights' if self.weights else '',
      f'from {self.address}' if self.address else '',
    ]
    return f'<alae_jax.Model: {", ".join(filter(None, facts))}>'

  @property
  def resolution(self) -> int:
    """Side of the images."""
    return self.networks.resolutions[self.level]

  @property
  def channels(self) -> int:
    """1 for grey, 3 for RGB."""
    return self.networks.channels

  @property
  def w_dim(self) -> int:
    """Size of w."""
    return self.networks.w_dim

  @property
  def z_dim(self) -> int:
    """Size of z."""
    return self.networks.z_dim

  @property
  def layers(self) -> int:
    """How many layers of G take a w of their own."""
    return self.networks.layers

  @property
  def active_layers(self) -> int:
    """How many of them are at work at this level, fewer while growing."""
    return self.networks.layers_at(self.level)

  @property
  def devices(self) -> int:
    """How many devices a batch is spread over."""
    return self.mesh.size

  @property
  def feature_names(self) -> tuple[str, ...]:
    """What `features` can show of E, as 'hidden' for an MLP."""
    return self.networks.feature_names

  def map(self, z: ArrayLike) -> np.ndarray:
    """F: z [N, z_dim] -> w [N, w_dim]."""
    z = arguments.latents('z', z, (None, self.z_dim))
    return self._in_pieces(_map, z, at_once=_LATENTS_AT_ONCE)

  def encode(self, images: ArrayLike) -> np.ndarray:
    """E: images -> w.

    Args:
      images: [N, H, W, C], uint8 in [0, 255] or float in [-1, 1]; a G that
        overshoots is taken too.

    Returns:
      [N, w_dim], float32.

    Raises:
      ValueError: of another shape, type or range, or not finite.
    """
    return self._in_pieces(_encode, self._checked_images(images))

  def decode(self, w: ArrayLike, key: jax.Array | None = None) -> np.ndarray:
    """G: w [N, w_dim] or [N, layers, w_dim] -> images.

    Args:
      w: one w for all layers or one for each.
      key: of the noise: one, or N of them, one for each image; None is the
        deterministic mode.

    Returns:
      [N, H, W, C], float32, about [-1, 1].

    Raises:
      ValueError: w is of another shape or not finite, or the keys are not N.
    """
    styles = self.broadcast(w)
    if key is None:
      return self._in_pieces(_decode, styles)
    arguments.refuse_traced('key', key)
    return self._in_pieces(_decode, styles, pure.image_keys(key, len(styles)))

  def generate(
    self,
    key: jax.Array,
    n: int,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
  ) -> np.ndarray:
    """Images of n fresh latents; the first m of n are those of m.

    Args:
      key: of latents and noise: one, or n of them, one for each image.
      n: how many.
      truncation_psi: 1 is the learned distribution, 0 the mean image.
      truncation_cutoff: only layers below it are truncated, of those that the
        model has grown to; None for all.

    Returns:
      [n, H, W, C], float32, about [-1, 1].

    Raises:
      ValueError: n or the cutoff is no such number, or psi is not finite.
    """
    arguments.refuse_traced('key', key)
    keys = pure.image_keys(key, arguments.whole_number('n', n))
    z, noise_keys = self.draw_latents(keys)
    styles = self.truncate(self.map(z), truncation_psi, truncation_cutoff)
    return self.decode(styles, noise_keys)

  def draw_latents(self, keys: jax.Array) -> tuple[np.ndarray, jax.Array]:
    """Keys [N] -> z [N, z_dim] ~ N(0, I) and keys [N] of the noise."""
    pairs = jax.vmap(jax.random.split)(keys)
    draw = jax.vmap(lambda key: jax.random.normal(key, (self.z_dim,)))
    return np.asarray(draw(pairs[:, 0])), pairs[:, 1]

  def broadcast(self, w: ArrayLike) -> np.ndarray:
    """One w, or one for each layer -> [N, layers, w_dim], checked."""
    w = arguments.fetch('w', w)
    if w.ndim == 3:
      return arguments.latents('w', w, (None, self.layers, self.w_dim))
    w = arguments.latents('w', w, (None, self.w_dim))
    return np.repeat(w[:, None], self.layers, axis=1)

  def truncate(
    self, w: ArrayLike, psi: float, cutoff: int | None = None
  ) -> np.ndarray:
    """Draws w to its mean, see `styles.truncate`.

    Args:
      w: [N, w_dim] or [N, layers, w_dim].
      psi: 1 leaves w as it is, 0 gives the mean.
      cutoff: only layers below it, of those that the model has grown to; None
        for every layer.

    Returns:
      [N, layers, w_dim].

    Raises:
      ValueError: psi is not finite, or there is no such layer.
    """
    psi = arguments.finite('truncation_psi', psi)
    cutoff = (
      self.layers
      if cutoff is None
      else arguments.whole_number(
        'truncation_cutoff', cutoff, self.active_layers
      )
    )
    return np.asarray(
      styles_lib.truncate(
        jnp.asarray(self.broadcast(w)), self.mean_w, psi, cutoff
      )
    )

  def reconstruct(
    self, images: ArrayLike, key: jax.Array | None = None
  ) -> np.ndarray:
    """G(E(x)): images as `encode` takes them -> images as `decode` gives."""
    return self.decode(self.encode(images), key)

  def discriminate(self, images: ArrayLike) -> np.ndarray:
    """D(E(x)): images as `encode` takes them -> logits [N]."""
    return self._in_pieces(
      _score, self.encode(images), at_once=_LATENTS_AT_ONCE
    )

  def features(self, images: ArrayLike, name: str) -> np.ndarray:
    """One of feature_names, [N, features], of images as `encode` takes them."""
    function = functools.partial(_features, name=name)
    return self._in_pieces(function, self._checked_images(images))

  def style_weights(self, first: int, end: int) -> np.ndarray:
    """How layers first to end - 1 of G take w in: [w_dim, outputs]."""
    return np.asarray(self.networks.style_weights(self.params, first, end))

  def _checked_images(self, images) -> np.ndarray:
    """uint8, or float32 in about [-1, 1]; a ValueError says what is off."""
    images = arguments.fetch('images', images)
    side = self.resolution
    arguments.check_shape('images', images, (None, side, side, self.channels))
    return arguments.pixels(images)

  def _in_pieces(
    self, function: Callable, *batched, at_once: int | None = None
  ) -> np.ndarray:
    """Applies a network to pieces of the batch and joins what it gives.

    Args:
      function: takes networks, level, params, blend and a piece of each array.
      *batched: arrays of the same length.
      at_once: rows for each device in one call; None for images.
    """
    call = functools.partial(
      function, self.networks, self.level, self.params, self.blend
    )
    return in_pieces(call, batched, self.mesh, at_once or self.images_at_once)

  @property
  def images_at_once(self) -> int:
    """How many images each device is given in one call."""
    return max(1, min(_IMAGES_AT_ONCE, _PIXELS_AT_ONCE // self.resolution**2))


# One compiled function per network, level and shape, whichever Model calls it.
_compiled = functools.partial(jax.jit, static_argnums=(0, 1))

_map = _compiled(pure.apply_f)
_encode = _compiled(pure.apply_e)
_decode = _compiled(pure.apply_g)
_score = _compiled(pure.apply_d)


@functools.partial(_compiled, static_argnames='name')
def _features(networks, level, params, blend, images, name):
  return networks.features(params, to_float(images), name)
