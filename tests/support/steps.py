"""Meshes, fresh states, and how far two states are apart."""

import functools

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

from alae_jax import sharding
from alae_jax.methods.alae import build_alae
from alae_jax.models.networks import build_networks
from alae_jax.runs import state as state_lib
from alae_jax.training import step as step_lib


def mesh_of(devices):
  return Mesh(
    np.array(jax.devices()[:devices]), ('data',), axis_types=(AxisType.Auto,)
  )


def put(mesh, batch):
  return jax.device_put(batch, sharding.over_batch(mesh))


def fresh_state(networks, mesh, shard='all'):
  return jax.jit(
    functools.partial(state_lib.init_state, networks, 0),
    out_shardings=state_lib.places(networks, sharding.Layout(mesh, shard)),
  )()


def assert_trees_close(one, other, tolerance):
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(
      a, b, rtol=tolerance, atol=tolerance
    ),
    one,
    other,
  )


def distance(one, other):
  """Relative L2 distance of two trees."""
  one, other = (
    np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])
    for tree in (one, other)
  )
  return np.linalg.norm(one - other) / np.linalg.norm(one)


def differs(one, other):
  return any(
    jax.tree.leaves(
      jax.tree.map(
        lambda a, b: bool(np.any(np.asarray(a) != np.asarray(b))), one, other
      )
    )
  )


def step_of(config, segment, mesh):
  """The jitted step of a config, and its networks."""
  networks = build_networks(config)
  return step_lib.build_step(
    build_alae(config), networks, step_lib.step_options(config), segment, mesh
  ), networks
