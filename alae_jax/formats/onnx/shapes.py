"""Rules for operations that move elements."""

from collections.abc import Sequence

import numpy as np

from alae_jax.formats.onnx.graph import Graph, Shape, Tensor
from alae_jax.formats.onnx.rules import (
  Operation,
  Rule,
  Unwritable,
  all_full,
  require,
)


def _reshaped(graph: Graph, x: Tensor, shape: Shape) -> Tensor:
  """All elements in another shape, of which one size may be unknown."""
  if x.shape == shape:
    return x
  sizes = [-1 if isinstance(size, str) else size for size in shape]
  require(sizes.count(-1) <= 1, 'with two sizes that are not known')
  target = graph.integers(sizes)
  return Tensor(shape, graph.add('Reshape', graph.name(x), target))


def _broadcast_in_dim(graph: Graph, operation: Operation, x: Tensor) -> Tensor:
  """Puts axes where they belong; see `Tensor` for the rest."""
  shape: list[int | str] = [1] * len(operation.gives[0])
  for axis, size in zip(
    operation.params['broadcast_dimensions'], x.shape, strict=True
  ):
    shape[axis] = size
  return _reshaped(graph, x, tuple(shape))


@all_full
def _reshape(graph: Graph, operation: Operation, x: Tensor) -> Tensor:
  require(operation.params['dimensions'] is None, 'with another order')
  return _reshaped(graph, x, operation.gives[0])


@all_full
def _concatenate(graph: Graph, operation: Operation, *parts: Tensor) -> Tensor:
  name = graph.add(
    'Concat',
    *(graph.name(part) for part in parts),
    axis=operation.params['dimension'],
  )
  return Tensor(operation.gives[0], name)


@all_full
def _split(graph: Graph, operation: Operation, x: Tensor) -> list[Tensor]:
  names = graph.add_several(
    'Split',
    len(operation.gives),
    graph.name(x),
    graph.integers(operation.params['sizes']),
    axis=operation.params['axis'],
  )
  return [
    Tensor(shape, name)
    for shape, name in zip(operation.gives, names, strict=True)
  ]


@all_full
def _pad(graph: Graph, operation: Operation, x: Tensor, value: Tensor):
  lows, highs, between = zip(*operation.params['padding_config'], strict=True)
  require(not any(between), 'between elements')
  require(min(*lows, *highs) >= 0, 'that cuts off')
  pads = graph.integers([*lows, *highs])
  name = graph.add('Pad', graph.name(x), pads, graph.name(value))
  return Tensor(operation.gives[0], name)


@all_full
def _gather(
  graph: Graph, operation: Operation, x: Tensor, indices: Tensor
) -> Tensor:
  """x[:, 2], x[:, 2:4] or x[:, ::2], which JAX traces as gathering."""
  known, numbers = indices.known, operation.params['dimension_numbers']
  if known is None or numbers.operand_batching_dims:
    raise Unwritable('by indices that are not known')
  if known.ndim == 1:
    part = _piece(graph, operation, x, known)
    return _reshaped(graph, part, operation.gives[0])
  axes = numbers.start_index_map
  require(
    known.shape[1:] == (1,)
    and numbers.collapsed_slice_dims == axes
    and axes[0] not in numbers.offset_dims,
    'along several axes',
  )
  return _every(graph, operation, x, known[:, 0], axes[0])


def _piece(
  graph: Graph, operation: Operation, x: Tensor, indices: np.ndarray
) -> Tensor:
  """From some index along each of some axes on, as many as are asked for."""
  sizes = operation.params['slice_sizes']
  axes = operation.params['dimension_numbers'].start_index_map
  require(
    all(
      axis in axes or str(size) == str(sizes[axis])
      for axis, size in enumerate(x.shape)
    ),
    'of less than there is',
  )
  starts = [int(start) for start in indices]
  ends = [start + sizes[axis] for axis, start in zip(axes, starts, strict=True)]
  shape = tuple(
    sizes[axis] if axis in axes else size for axis, size in enumerate(x.shape)
  )
  return Tensor(shape, _slice(graph, x, starts, ends, axes, [1] * len(axes)))


def _every(
  graph: Graph,
  operation: Operation,
  x: Tensor,
  indices: np.ndarray,
  axis: int,
) -> Tensor:
  """Every second, third or so element along an axis."""
  start, end = int(indices[0]), int(indices[-1]) + 1
  step = max(1, (end - start - 1) // max(1, len(indices) - 1))
  require(np.array_equal(indices, range(start, end, step)), 'without a stride')
  name = _slice(graph, x, [start], [end], [axis], [step])
  return Tensor(operation.gives[0], name)


def _slice(graph: Graph, x: Tensor, *vectors: Sequence[int]) -> str:
  """Starts, ends, axes and steps."""
  return graph.add('Slice', graph.name(x), *map(graph.integers, vectors))


RULES: dict[str, Rule] = {
  'broadcast_in_dim': _broadcast_in_dim,
  'reshape': _reshape,
  'concatenate': _concatenate,
  'split': _split,
  'pad': _pad,
  'gather': _gather,
}
