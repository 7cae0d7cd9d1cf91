"""Gradients of a batch in parts, of which one's activations are held at a time.

What is random is drawn for the whole batch, so a batch in parts learns from the
same images and latents as it does at once.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from alae_jax.methods.base import Aux, Batch, Phase
from alae_jax.models.networks import Params
from alae_jax.sharding import Layout


def differentiate(
  phase: Phase,
  equalize: Callable[[Params], Params],
  layout: Layout,
  params: Params,
  batch: Batch,
  key: jax.Array,
  microbatches: int,
) -> tuple[Params, Aux]:
  """The gradients of a phase's loss by the networks that it trains.

  Args:
    phase: whose loss, of parameters that have been equalized.
    equalize: a linear function of parameters; see `Networks.equalize`.
    layout: by which the gradients are laid as the optimizer's state.
    params: of all networks.
    batch: of N rows.
    key: of what the phase draws.
    microbatches: parts of the batch, a divisor of N.

  Returns:
    The gradients, and the scalars: those of all parts averaged. Of w [N, w_dim]
    too only the mean over the parts is left, [N / microbatches, w_dim].
  """
  drawn = phase.draw(batch, key)
  trained = {name: params[name] for name in phase.trains}
  # On the pieces that a device has, so that only what is used travels.
  whole = layout.gather(equalize(params))

  def of_part(batch, drawn):
    gradients, aux = jax.grad(
      lambda trained: phase.loss({**whole, **trained}, batch, drawn),
      has_aux=True,
    )({name: whole[name] for name in phase.trains})
    gradients = layout.lay_sums('opt_state', gradients)
    return jax.linear_transpose(equalize, trained)(gradients)[0], aux

  if microbatches == 1:
    return of_part(batch, drawn)

  def add(total, part):
    reals, drawn = batch.share(part)
    gradients, aux = of_part(dataclasses.replace(batch, reals=reals), drawn)
    return jax.tree.map(jnp.add, total, gradients), aux

  zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.float32), trained)
  zeros = layout.lay('opt_state', zeros)
  total, aux = jax.lax.scan(
    add, zeros, in_parts((batch.reals, drawn), microbatches)
  )
  return (
    jax.tree.map(lambda x: x / microbatches, total),
    jax.tree.map(lambda x: jnp.mean(x, axis=0), aux),
  )


def in_parts(tree: Any, count: int) -> Any:
  """Rows [N, ...] -> [count, N / count, ...]; a scalar for each part.

  A part takes every `count`-th row, not N / count in a row: each device's rows
  are divided among the parts, and none travels to another device.
  """

  def divide(x):
    if jnp.ndim(x) == 0:
      return jnp.broadcast_to(x, (count,))
    return x.reshape(-1, count, *x.shape[1:]).swapaxes(0, 1)

  return jax.tree.map(divide, tree)
