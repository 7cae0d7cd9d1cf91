"""The devices as one mesh, and what is laid where on it."""

import dataclasses
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

Tree = TypeVar('Tree')

# The fields of a train state that are spread over the devices, by train.shard.
SPREAD: dict[str, tuple[str, ...]] = {
  'none': (),
  'state': ('ema', 'opt_state'),
  'all': ('params', 'ema', 'opt_state'),
}
# Elements under which an array stays whole. Most of a StyleALAE's arrays are as
# small, biases and the like, but not a hundredth of its bytes: to spread them
# costs a message each and saves nothing.
_SMALL = 2**12


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
  """The whole array on every device: everything small, see also `Layout`."""
  return NamedSharding(mesh, PartitionSpec())


def over_batch(mesh: Mesh) -> NamedSharding:
  """The first axis split over the devices: images and latents."""
  return NamedSharding(mesh, PartitionSpec('data'))


def spread(mesh: Mesh, shape: tuple[int, ...]) -> NamedSharding:
  """An array in as many pieces as there are devices, where that is worth it.

  It is cut along the longest axis that they divide, the last one of several:
  a kernel along its output channels. What is small or can't be cut is whole.
  """
  axes = [axis for axis, size in enumerate(shape) if size % mesh.size == 0]
  if mesh.size == 1 or np.prod(shape) < _SMALL or not axes:
    return replicated(mesh)
  cut = max(axes, key=lambda axis: (shape[axis], axis))
  return NamedSharding(mesh, PartitionSpec(*[None] * cut, 'data'))


@dataclasses.dataclass(frozen=True)
class Layout:
  """Where everything lies that a step is given or makes.

  Attributes:
    mesh: of all devices, with one axis 'data'.
    shard: a name in SPREAD.
  """

  mesh: Mesh
  shard: str = 'none'

  def place(self, field: str, shape: tuple[int, ...]) -> NamedSharding:
    """Of an array in a field of the train state."""
    whole = field not in SPREAD[self.shard]
    return replicated(self.mesh) if whole else spread(self.mesh, shape)

  def lay(self, field: str, tree: Tree) -> Tree:
    """Within a jitted function: what is shaped as a field, laid as it is."""
    return jax.tree.map(
      lambda x: _constrain(x, self.place(field, x.shape)), tree
    )

  def lay_sums(self, field: str, tree: Tree) -> Tree:
    """Like `lay`, for sums over rows that are shared by the devices.

    Were it not said that these are sums of what each device has of its own
    rows, XLA might as well send the rows around. Sums of which each device
    keeps a piece become a reduce-scatter, where the platform has one.
    """
    return self.lay(field, self.gather(tree))

  def gather(self, tree: Tree) -> Tree:
    """Within a jitted function: the whole of every array on every device."""
    return jax.tree.map(lambda x: _constrain(x, replicated(self.mesh)), tree)

  def share(self, tree: Tree) -> Tree:
    """Within a jitted function: rows [N, ...] over the devices, not scalars."""
    rows = over_batch(self.mesh)
    return jax.tree.map(lambda x: _constrain(x, rows) if x.ndim else x, tree)


def _constrain(x: Any, place: NamedSharding) -> Any:
  return jax.lax.with_sharding_constraint(x, place)


def localize(tree: Tree, mesh: Mesh) -> Tree:
  """Arrays of all processes -> the whole of them on one process's mesh.

  What is spread over several processes is gathered: all must call this, with
  the same arrays.
  """

  def local(leaf):
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
      leaf = leaf.addressable_data(0)
    return jax.device_put(leaf, replicated(mesh))

  leaves, structure = jax.tree.flatten(tree)
  whole = iter(_join([leaf for leaf in leaves if _is_apart(leaf)]))
  leaves = [next(whole) if _is_apart(leaf) else leaf for leaf in leaves]
  return jax.tree.unflatten(structure, [local(leaf) for leaf in leaves])


def _is_apart(leaf: Any) -> bool:
  """Whether no process has the whole of it."""
  return isinstance(leaf, jax.Array) and not (
    leaf.is_fully_addressable or leaf.is_fully_replicated
  )


def _join(arrays: list[jax.Array]) -> list[jax.Array]:
  """The whole of arrays on every device, in one program."""
  if not arrays:
    return []
  there = arrays[0].sharding
  assert isinstance(there, NamedSharding)
  everywhere = NamedSharding(there.mesh, PartitionSpec())
  return jax.jit(_as_it_is, out_shardings=everywhere)(arrays)


def _as_it_is(tree: Tree) -> Tree:
  return tree


def gather(array: np.ndarray) -> np.ndarray:
  """An array of every process, all of one shape: [processes, ...].

  To the last bit, in float64 too, which jax itself would shorten.
  """
  if jax.process_count() == 1:
    return array[None]
  octets = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
  found = np.asarray(multihost_utils.process_allgather(octets))
  return np.frombuffer(found.tobytes(), array.dtype).reshape(-1, *array.shape)
