"""The devices as one mesh, what is laid where on it, and joining processes."""

import re
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from alae_jax.errors import UserError

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


def gather(array: np.ndarray) -> np.ndarray:
  """An array of every process, all of one shape: [processes, ...].

  To the last bit, in float64 too, which jax itself would shorten.
  """
  if jax.process_count() == 1:
    return array[None]
  octets = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
  found = np.asarray(multihost_utils.process_allgather(octets))
  return np.frombuffer(found.tobytes(), array.dtype).reshape(-1, *array.shape)


def join_processes(address: str) -> None:
  """Connects the processes of a job, which must all be started.

  Args:
    address: 'HOST:PORT,N,I', or '' where jax can find out.

  Raises:
    UserError: it is something else, or jax can't find out.
  """
  if not address:
    try:
      return jax.distributed.initialize()
    except ValueError as error:
      raise UserError(f'distributed: {error} Give HOST:PORT,N,I') from error
  match = re.fullmatch(r'([^,]+:\d+),(\d+),(\d+)', address)
  if not match or int(match[3]) >= int(match[2]):
    raise UserError(
      f'distributed {address}: it must be HOST:PORT,N,I, as '
      '10.0.0.1:1234,4,0 for the first of four processes'
    )
  return jax.distributed.initialize(match[1], int(match[2]), int(match[3]))
