"""A trained model in a user's hands: encode, decode, generate, reconstruct."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jax.sharding import Mesh

from alae_jax import mesh as mesh_lib
from alae_jax.models.networks import Networks, Params

# Images times pixels in one call of a network; more is split.
_PIXELS_AT_ONCE = 2**20


class Model:
  """The four networks with their parameters, at one resolution.

  Every method takes any number of images or latents: they are split into
  pieces that fit memory, spread over the devices, and compiled once per shape.

  Attributes:
    config: the run's config.
    params: of the four networks.
    mean_w: [layers, w_dim], the centre that truncation draws w to.
    level: index of the resolution that the model works at.
    blend: how far that level has faded in.
  """

  def __init__(self, config: ml_collections.ConfigDict, networks: Networks,
               params: Params, mean_w: jax.Array, level: int | None = None,
               blend: float = 1.0, mesh: Mesh | None = None):
    self._mesh = mesh or mesh_lib.local_mesh()
    self.config = config
    self.params = mesh_lib.localize(params, self._mesh)
    self.mean_w = mesh_lib.localize(mean_w, self._mesh)
    self.level = networks.levels - 1 if level is None else level
    self.blend = blend
    self._networks = networks

  @property
  def resolution(self) -> int:
    """Side of the images."""
    return self._networks.resolutions[self.level]

  @property
  def channels(self) -> int:
    """1 for grey, 3 for RGB."""
    return self._networks.channels

  @property
  def w_dim(self) -> int:
    """Size of w."""
    return self._networks.w_dim

  @property
  def z_dim(self) -> int:
    """Size of z."""
    return self._networks.z_dim

  @property
  def layers(self) -> int:
    """How many layers of G take a w of their own."""
    return self._networks.layers

  @property
  def has_hidden_features(self) -> bool:
    """Whether `hidden_features` exists, which it does for an MLP."""
    return self._networks.has_hidden_features

  def map(self, z: jax.Array) -> jax.Array:
    """F: z [N, z_dim] -> w [N, w_dim]."""
    z = _checked('z', z, (None, self.z_dim))
    return self._in_pieces(_map, z)

  def encode(self, images: jax.Array) -> jax.Array:
    """E: images [N, H, W, C], uint8 or float in [-1, 1] -> w [N, w_dim]."""
    return self._in_pieces(_encode, self._checked_images(images), self.level,
                           blend=self.blend)

  def decode(self, w: jax.Array, key: jax.Array | None = None) -> jax.Array:
    """G: w [N, w_dim] or [N, layers, w_dim] -> images.

    Args:
      w: one w for all layers or one for each.
      key: of the noise; None is the deterministic mode.

    Returns:
      [N, H, W, C], float32, about [-1, 1].
    """
    w = jnp.asarray(w)
    if w.ndim == 3:
      styles = _checked('w', w, (None, self.layers, self.w_dim))
    else:
      styles = self._networks.broadcast(
          _checked('w', w, (None, self.w_dim)))
    return self._in_pieces(_decode, styles, self.level, key=key,
                           blend=self.blend)

  def generate(self, key: jax.Array, n: int, truncation_psi: float = 1.0,
               truncation_cutoff: int | None = None) -> jax.Array:
    """Images of n fresh latents.

    Args:
      key: of latents and noise.
      n: how many.
      truncation_psi: 1 is the learned distribution, 0 the mean image.
      truncation_cutoff: only layers below it are truncated; None for all.

    Returns:
      [n, H, W, C], float32, about [-1, 1].
    """
    key_z, key_noise = jax.random.split(key)
    w = self.map(jax.random.normal(key_z, (n, self.z_dim)))
    styles = self.truncate(w, truncation_psi, truncation_cutoff)
    return self.decode(styles, key_noise)

  def truncate(self, w: jax.Array, psi: float,
               cutoff: int | None = None) -> jax.Array:
    """mean_w + psi (w - mean_w) on the layers below cutoff.

    Args:
      w: [N, w_dim].
      psi: 1 leaves w as it is.
      cutoff: None for every layer.

    Returns:
      [N, layers, w_dim].
    """
    styles = self._networks.broadcast(w)
    below = jnp.arange(self.layers) < (
        self.layers if cutoff is None else cutoff)
    psi = jnp.where(below, psi, 1.0)[:, None]
    return self.mean_w + psi * (styles - self.mean_w)

  def reconstruct(self, images: jax.Array,
                  key: jax.Array | None = None) -> jax.Array:
    """G(E(x)): images as `encode` takes them -> images as `decode` gives."""
    return self.decode(self.encode(images), key)

  def discriminate(self, images: jax.Array) -> jax.Array:
    """D(E(x)): images as `encode` takes them -> logits [N]."""
    return self._in_pieces(_discriminate, self.encode(images))

  def hidden_features(self, images: jax.Array) -> jax.Array:
    """E's last hidden layer, [N, features]."""
    return self._in_pieces(_hidden_features, self._checked_images(images))

  def _checked_images(self, images) -> jax.Array:
    """Images as float32 in [-1, 1], or a ValueError that says what is off."""
    images = np.asarray(images)
    side = self.resolution
    _checked('images', images, (None, side, side, self.channels))
    if images.dtype == np.uint8:
      return images
    if not np.issubdtype(images.dtype, np.floating):
      raise ValueError(f'images are {images.dtype}: give uint8 in [0, 255] or '
                       'float in [-1, 1]')
    if images.size and not np.abs(images).max() <= 1.01:
      raise ValueError(
          f'float images reach from {images.min():.4g} to {images.max():.4g}: '
          'they must be in [-1, 1]')
    return images.astype(np.float32)

  def _in_pieces(self, function: Callable, x, *static, key=None, **traced):
    """Applies a network to pieces of x and joins what it gives."""
    n, devices = x.shape[0], self._mesh.size
    at_once = max(1, min(1024, _PIXELS_AT_ONCE // self.resolution**2))
    piece = _round_up(min(max(n, 1), at_once), devices)
    sharding = mesh_lib.over_batch(self._mesh)
    results = []
    for i, start in enumerate(range(0, max(n, 1), piece)):
      part = np.asarray(x[start:start + piece])
      padding = [(0, piece - part.shape[0])] + [(0, 0)] * (part.ndim - 1)
      part = jax.device_put(np.pad(part, padding), sharding)
      if key is not None:
        traced['key'] = jax.random.fold_in(key, i)
      results.append(
          function(self._networks, *static, self.params, part, **traced))
    return jnp.concatenate(results)[:n]


def to_float(images: jax.Array) -> jax.Array:
  """uint8 [0, 255] -> float32 [-1, 1]; floats pass."""
  if images.dtype == jnp.uint8:
    return images.astype(jnp.float32) / 127.5 - 1
  return images


def to_uint8(images: jax.Array) -> np.ndarray:
  """Float [-1, 1] -> uint8 [0, 255], rounded and clipped."""
  images = np.asarray(images, np.float32)
  return np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)


# One compiled function per network, level and shape, whichever Model calls it.
@functools.partial(jax.jit, static_argnums=0)
def _map(networks, params, z):
  return networks.map(params, z)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _encode(networks, level, params, images, blend):
  return networks.encode(params, to_float(images), level, blend)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _decode(networks, level, params, styles, blend, key=None):
  noise = None if key is None else networks.draw_noise(
      key, styles.shape[0], level)
  return networks.generate(params, styles, level, blend, noise)


@functools.partial(jax.jit, static_argnums=0)
def _discriminate(networks, params, w):
  return networks.discriminate(params, w)


@functools.partial(jax.jit, static_argnums=0)
def _hidden_features(networks, params, images):
  return networks.hidden_features(params, to_float(images))


def _checked(name: str, x, shape: tuple[int | None, ...]):
  """x, if it has this shape; None stands for any size."""
  fits = len(x.shape) == len(shape) and all(
      want in (None, have) for want, have in zip(shape, x.shape, strict=True))
  if not fits:
    wanted = ', '.join('N' if side is None else str(side) for side in shape)
    raise ValueError(f'{name} have shape {list(x.shape)}: it must be '
                     f'[{wanted}]')
  return x


def _round_up(n: int, multiple: int) -> int:
  return -(-n // multiple) * multiple
