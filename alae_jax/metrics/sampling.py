"""Generated images, drawn and looked at in one program.

Image i of a seed has keys of its own, whatever is drawn beside it.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from alae_jax.inference import pure
from alae_jax.inference.model import Model
from alae_jax.methods.alae import draw_cutoff
from alae_jax.metrics.features import Extract
from alae_jax.metrics.protocols import Protocol
from alae_jax.models import styles as styles_lib
from alae_jax.models.networks import Networks


def keys_of(seed: int, indices: np.ndarray) -> jax.Array:
  """A key for each index."""
  return jax.vmap(jax.random.fold_in, (None, 0))(
    jax.random.key(seed), jnp.asarray(indices)
  )


def keys_batch(seed: int, indices: np.ndarray) -> tuple[jax.Array]:
  """What a crew is given to generate by: keys alone."""
  return (keys_of(seed, indices),)


def generated(
  model: Model, protocol: Protocol, extract: Extract, params: Any, psi: float
) -> functools.partial:
  """A function of keys: the features of the images that they give.

  Without truncation and mixed styles the images are `Model.generate`'s.

  Args:
    model: that generates.
    protocol: how images are drawn and become bytes.
    extract: features of uint8 images.
    params: for `extract`.
    psi: of the truncation.
  """
  return functools.partial(
    _generated,
    model.networks,
    model.level,
    protocol,
    extract,
    params,
    model.params,
    model.blend,
    model.mean_w,
    psi,
  )


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _generated(
  networks: Networks,
  level: int,
  protocol: Protocol,
  extract: Extract,
  features: Any,
  params: Any,
  blend: float,
  mean_w: jax.Array,
  psi: float,
  keys: jax.Array,
) -> jax.Array:
  pairs = jax.vmap(jax.random.split)(keys)
  styles = networks.broadcast(_map(networks, params, pairs[:, 0]))
  if protocol.style_mixing:
    mixing = jax.vmap(jax.random.fold_in, (0, None))(keys, 2)
    styles = _mixed(networks, level, params, styles, protocol, mixing)
  styles = styles_lib.truncate(styles, mean_w, psi, networks.layers)
  images = pure.apply_g(networks, level, params, blend, styles, pairs[:, 1])
  return extract(features, protocol.to_bytes(images))


def draw_z(networks: Networks, keys: jax.Array) -> jax.Array:
  """Of each key z ~ N(0, I), [N, z_dim], as `Model.draw_latents` does."""
  return jax.vmap(lambda key: jax.random.normal(key, (networks.z_dim,)))(keys)


def _map(networks: Networks, params: Any, keys: jax.Array) -> jax.Array:
  return networks.map(params, draw_z(networks, keys))


def _mixed(
  networks: Networks,
  level: int,
  params: Any,
  styles: jax.Array,
  protocol: Protocol,
  keys: jax.Array,
) -> jax.Array:
  """Other styles from a layer on, with the protocol's probability."""
  of_z, of_cutoff, of_whether = jax.vmap(
    lambda key: jax.random.split(key, 3), out_axes=1
  )(keys)
  others = networks.broadcast(_map(networks, params, of_z))
  cutoff = jax.vmap(draw_cutoff, (0, 0, None, None))(
    of_cutoff, of_whether, networks.layers_at(level), protocol.style_mixing
  )
  return styles_lib.mix_styles(styles, others, cutoff)
