"""Mixing and truncating styles, the [N, layers, w_dim] that G is given."""

import jax
import jax.numpy as jnp


def mix_styles(
  styles: jax.Array, others: jax.Array, cutoff: jax.Array | int
) -> jax.Array:
  """`styles` on the layers below `cutoff` and `others` on the rest.

  Args:
    styles: [N, layers, w_dim].
    others: the same shape.
    cutoff: the first layer to take from `others`, one for the batch or [N].

  Returns:
    [N, layers, w_dim] (Karras et al. 2019, 3.1).
  """
  return jnp.where(_below(cutoff, styles), styles, others)


def replace_layers(
  styles: jax.Array, others: jax.Array, first: int, end: int
) -> jax.Array:
  """`others` on the layers from `first` to before `end`, `styles` elsewhere.

  Args:
    styles: [N, layers, w_dim].
    others: the same shape.
    first: the first layer to take from `others`.
    end: the layer after the last one.

  Returns:
    [N, layers, w_dim].
  """
  return mix_styles(mix_styles(styles, others, first), styles, end)


def truncate(
  styles: jax.Array,
  mean_w: jax.Array,
  psi: jax.Array | float,
  cutoff: jax.Array | int,
) -> jax.Array:
  """Pulls the layers below `cutoff` towards the mean.

  Args:
    styles: [N, layers, w_dim].
    mean_w: [layers, w_dim] or [w_dim].
    psi: 1 changes nothing, 0 gives the mean.
    cutoff: the first layer to leave alone.

  Returns:
    [N, layers, w_dim] (Karras et al. 2019, appendix B).
  """
  truncated = mean_w + psi * (styles - mean_w)
  return jnp.where(_below(cutoff, styles), truncated, styles)


def _below(cutoff: jax.Array | int, styles: jax.Array) -> jax.Array:
  """Which layers of `styles` come before `cutoff`: [1 or N, layers, 1]."""
  layers = jnp.arange(styles.shape[1])[None, :, None]
  return layers < jnp.reshape(cutoff, (-1, 1, 1))
