"""The devices as one mesh, and what is laid where on it."""

from typing import TypeVar

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

Tree = TypeVar('Tree')


def global_mesh() -> Mesh:
  """All devices of all processes on one axis, 'data'."""
  return jax.make_mesh(
    (jax.device_count(),), ('data',), axis_types=(AxisType.Auto,)
  )


def local_mesh() -> Mesh:
  """This process's devices on one axis, 'data'."""
  return Mesh(
    np.array(jax.local_devices()), ('data',), axis_types=(AxisType.Auto,)
  )


def replicated(mesh: Mesh) -> NamedSharding:
  """The whole array on every device: parameters and everything small."""
  return NamedSharding(mesh, PartitionSpec())


def over_batch(mesh: Mesh) -> NamedSharding:
  """The first axis split over the devices: images and latents."""
  return NamedSharding(mesh, PartitionSpec('data'))


def localize(tree: Tree, mesh: Mesh) -> Tree:
  """Replicated arrays of all processes -> the same on one process's mesh."""

  def local(leaf):
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
      leaf = leaf.addressable_data(0)
    return jax.device_put(leaf, replicated(mesh))

  return jax.tree.map(local, tree)
