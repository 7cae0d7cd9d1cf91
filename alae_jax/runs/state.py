"""The train state: everything a step changes, and how it is made."""

import dataclasses
import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from alae_jax.models.networks import Networks, Params
from alae_jax.runs.optimizer import init_optimizer
from alae_jax.sharding import Layout

# For XLA on the CPU; the values are the same to the last bit.
_HURRY = {
  'xla_backend_optimization_level': 1,
  'xla_llvm_disable_expensive_passes': True,
}


@flax.struct.dataclass
class TrainState:
  """All of a run that a step changes; a checkpoint holds exactly this.

  There is no random key and no data position in it: both are functions of the
  seed and of images_seen.

  Attributes:
    images_seen: int32, the clock of everything.
    params: of the four networks, by name.
    ema: their exponential moving average.
    opt_state: the optimizer's state of each network, by the same names.
    mean_w: [layers, w_dim], the running mean of F(z), for truncation.
  """

  images_seen: jax.Array
  params: Params
  ema: Params
  opt_state: dict[str, Any]
  mean_w: jax.Array


def init_state(networks: Networks, seed: int) -> TrainState:
  """A fresh state; call it under jit, so that no two leaves share a buffer."""
  params = networks.init(init_key(seed))
  return TrainState(
    images_seen=jnp.zeros((), jnp.int32),
    params=params,
    ema=jax.tree.map(jnp.copy, params),
    opt_state=init_optimizer(params),
    mean_w=jnp.zeros((networks.layers, networks.w_dim)),
  )


def fresh_state(networks: Networks, seed: int, place: Any) -> TrainState:
  """A fresh state, laid out as `place` says: a sharding, or one a leaf."""
  init = functools.partial(init_state, networks, seed)
  # What takes long to compile is a hundred random draws, which run once.
  options = _HURRY if jax.default_backend() == 'cpu' else None
  return jax.jit(init, out_shardings=place, compiler_options=options)()


def abstract_state(networks: Networks, place: Any) -> TrainState:
  """Shapes, types and shardings of a state, to restore a checkpoint onto.

  Args:
    networks: whose.
    place: a sharding, or one a leaf.
  """
  shapes = _shapes(networks)
  return jax.tree.map(
    lambda leaf, place: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=place
    ),
    shapes,
    jax.tree.broadcast(place, shapes),
  )


def places(networks: Networks, layout: Layout) -> TrainState:
  """The sharding of every leaf of a state."""
  shapes = _shapes(networks)

  def of(field):
    return jax.tree.map(
      lambda leaf: layout.place(field, leaf.shape), getattr(shapes, field)
    )

  return TrainState(
    **{field.name: of(field.name) for field in dataclasses.fields(TrainState)}
  )


@functools.cache
def _shapes(networks: Networks) -> TrainState:
  return jax.eval_shape(functools.partial(init_state, networks, 0))


def init_key(seed: int) -> jax.Array:
  """The key of the initial parameters."""
  return jax.random.split(jax.random.key(seed))[0]


def step_key(seed: int, images_seen: jax.Array) -> jax.Array:
  """The key of the step that begins after `images_seen` images."""
  return jax.random.fold_in(
    jax.random.split(jax.random.key(seed))[1], images_seen
  )
