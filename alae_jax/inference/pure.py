"""The networks of a trained model as pure functions, for jit, grad and vmap."""

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from alae_jax.inference.arguments import check_shape
from alae_jax.models.networks import Networks, Params, Stage
from alae_jax.ops.pixels import to_float


class OfArray(Protocol):
  """A network as a function of its parameters and of an array."""

  def __call__(self, params: Params, x: ArrayLike, /) -> jax.Array:
    """Applies it."""
    ...


class OfStyles(Protocol):
  """G as a function of parameters, of w and of a key for the noise."""

  def __call__(
    self, params: Params, w: ArrayLike, /, key: jax.Array | None = None
  ) -> jax.Array:
    """Applies it."""
    ...


class PureFunctions(NamedTuple):
  """F, E, G and D at a model's level and blend: pure, and in JAX throughout.

  They take parameters such as `model.params`, and are differentiable in these
  and in their input. Nothing is split to fit memory, nothing but shapes is
  checked. Where G should lead, say, and which w leads there::

      def distance(w):
        return jnp.mean((model.pure.decode(model.params, w) - target) ** 2)

      slope = jax.jit(jax.grad(distance))
      for _ in range(100):
        w = w - 0.1 * slope(w)

  Attributes:
    map: F: z [N, z_dim] -> w [N, w_dim].
    encode: E: images [N, H, W, C], float in [-1, 1] -> w [N, w_dim].
    decode: G: w [N, w_dim] or [N, layers, w_dim] -> images [N, H, W, C],
      about [-1, 1]; key as in `Model.decode`.
    discriminate: D∘E: images as `encode` takes them -> logits [N].
    score: D: w [N, w_dim] -> logits [N].
  """

  map: OfArray
  encode: OfArray
  decode: OfStyles
  discriminate: OfArray
  score: OfArray


def pure_functions(
  networks: Networks, level: int, blend: float
) -> PureFunctions:
  """The functions of networks that work at a level, so far faded in."""
  side = networks.resolutions[level]
  images = 'images', (None, side, side, networks.channels)
  w = 'w', (None, networks.w_dim)

  def checked(function, name, shape):
    def call(params, x, /):
      x = jnp.asarray(x)
      check_shape(name, x, shape)
      return function(networks, level, params, blend, x)

    return call

  def decode(params, w, /, key=None):
    w = jnp.asarray(w)
    layers = [networks.layers] if w.ndim == 3 else []
    check_shape('w', w, (None, *layers, networks.w_dim))
    styles = w if layers else networks.broadcast(w)
    keys = None if key is None else image_keys(key, len(w))
    return apply_g(networks, level, params, blend, styles, keys)

  return PureFunctions(
    map=checked(apply_f, 'z', (None, networks.z_dim)),
    encode=checked(apply_e, *images),
    decode=decode,
    discriminate=checked(apply_d_of_e, *images),
    score=checked(apply_d, *w),
  )


def apply_f(networks: Networks, level, params, blend, z):
  """F, which is the same at every level."""
  return networks.map(params, z)


def apply_e(networks: Networks, level, params, blend, images):
  """E, of images that are uint8 or float."""
  return networks.encode(params, to_float(images), Stage(level, blend))


def apply_g(networks: Networks, level, params, blend, styles, keys=None):
  """G, with noise from a key for each image, or without."""
  noise = None if keys is None else _noise_of_each(networks, level, keys)
  return networks.decode(params, styles, Stage(level, blend), noise)


def apply_d(networks: Networks, level, params, blend, w):
  """D, which is the same at every level."""
  return networks.score(params, w)


def apply_d_of_e(networks: Networks, level, params, blend, images):
  """D∘E."""
  return networks.discriminate(params, to_float(images), Stage(level, blend))


def _noise_of_each(networks, level, keys):
  """Planes [N, S, S, 1] of every layer, each image's from its own key."""
  planes = jax.vmap(lambda key: networks.draw_noise(key, 1, level))(keys)
  return jax.tree.map(lambda plane: plane[:, 0], planes)


def image_keys(key: jax.Array, n: int) -> jax.Array:
  """A key for each of n images; the first m of n are those of m.

  Args:
    key: one, or n of them, which pass; new-style or old (`PRNGKey`).
    n: how many.

  Raises:
    ValueError: there are neither one nor n keys, or it is a bare number.
  """
  key = jnp.asarray(key)
  if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
    if key.ndim == 0:
      raise ValueError(f'key is {key}: make one with jax.random.key({key})')
    key = jax.random.wrap_key_data(key)
  if key.ndim == 0:
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n))
  if key.shape != (n,):
    raise ValueError(
      f'keys have shape {list(key.shape)}: give one, or one '
      f'for each of {n} images'
    )
  return key
