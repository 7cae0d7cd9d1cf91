"""Rules for sums, products and convolutions."""

from collections.abc import Sequence

import numpy as np

from alae_jax.formats.onnx.graph import Graph, Tensor
from alae_jax.formats.onnx.rules import Operation, Rule, all_full, require


@all_full
def _reduce_sum(graph: Graph, operation: Operation, x: Tensor) -> Tensor:
  axes = graph.integers(operation.params['axes'])
  name = graph.add('ReduceSum', graph.name(x), axes, keepdims=0)
  return Tensor(operation.gives[0], name)


@all_full
def _dot_general(
  graph: Graph, operation: Operation, x: Tensor, kernel: Tensor
) -> Tensor:
  contracted, batched = operation.params['dimension_numbers']
  last = (len(x.shape) - 1,)
  require(
    tuple(map(tuple, contracted)) == (last, (0,))
    and not any(batched)
    and len(kernel.shape) == 2,
    'but for vectors by a matrix',
  )
  name = graph.add('MatMul', graph.name(x), graph.name(kernel))
  return Tensor(operation.gives[0], name)


@all_full
def _convolve(
  graph: Graph, operation: Operation, x: Tensor, kernel: Tensor
) -> Tensor:
  # Channels come first in ONNX. Runtimes move what turns axes out of the way.
  params = operation.params
  require(params['batch_group_count'] == 1, 'with groups of images')
  numbers = params['dimension_numbers']
  maps = graph.add('Transpose', graph.name(x), perm=numbers.lhs_spec)
  dilated = any(dilation > 1 for dilation in params['lhs_dilation'])
  write = _transposed if dilated else _plain
  made = write(graph, params, maps, kernel)
  order = [int(axis) for axis in np.argsort(numbers.out_spec)]
  return Tensor(operation.gives[0], graph.add('Transpose', made, perm=order))


def _plain(graph: Graph, params, maps: str, kernel: Tensor) -> str:
  order = params['dimension_numbers'].rhs_spec
  lows, highs = zip(*params['padding'], strict=True)
  require(min(*lows, *highs) >= 0, 'that cuts off')
  return graph.add(
    'Conv',
    maps,
    graph.add('Transpose', graph.name(kernel), perm=order),
    kernel_shape=[kernel.shape[axis] for axis in order[2:]],
    strides=params['window_strides'],
    dilations=params['rhs_dilation'],
    group=params['feature_group_count'],
    pads=[*lows, *highs],
  )


def _transposed(graph: Graph, params, maps: str, kernel: Tensor) -> str:
  """As the transpose of a convolution with strides, whose kernel is turned."""
  require(
    {*params['window_strides'], *params['rhs_dilation']} == {1}
    and params['feature_group_count'] == 1,
    'of spread maps but for the simplest form',
  )
  outputs, inputs, *sides = params['dimension_numbers'].rhs_spec
  sizes = [kernel.shape[axis] for axis in sides]
  lows, highs = zip(*params['padding'], strict=True)
  pads = [
    size - 1 - pad
    for padding in (lows, highs)
    for size, pad in zip(sizes, padding, strict=True)
  ]
  require(min(pads) >= 0, 'of spread maps with more borders than kernel')
  return graph.add(
    'ConvTranspose',
    maps,
    graph.add(
      'Transpose', _turned(graph, kernel, sides), perm=[inputs, outputs, *sides]
    ),
    kernel_shape=sizes,
    strides=params['lhs_dilation'],
    pads=pads,
  )


def _turned(graph: Graph, kernel: Tensor, axes: Sequence[int]) -> str:
  """The kernel from its last element along some axes to the first."""
  vectors = (
    [-1] * len(axes),
    [np.iinfo(np.int64).min] * len(axes),
    axes,
    [-1] * len(axes),
  )
  return graph.add('Slice', graph.name(kernel), *map(graph.integers, vectors))


@all_full
def _blur(graph: Graph, operation: Operation, x: Tensor) -> Tensor:
  """One convolution of each channel instead of a dozen sums."""
  channels = int(x.shape[3])
  sides = np.array([1, 2, 1], np.float32)
  kernel = graph.add(
    'Expand',
    graph.constant(np.outer(sides, sides)[None, None] / 16),
    graph.integers([channels, 1, 3, 3]),
  )
  blurred = graph.add(
    'Conv',
    graph.add('Transpose', graph.name(x), perm=[0, 3, 1, 2]),
    kernel,
    kernel_shape=[3, 3],
    group=channels,
    pads=[1, 1, 1, 1],
  )
  return Tensor(x.shape, graph.add('Transpose', blurred, perm=[0, 2, 3, 1]))


RULES: dict[str, Rule] = {
  'reduce_sum': _reduce_sum,
  'dot_general': _dot_general,
  'conv_general_dilated': _convolve,
}
# Of functions of ours that are jitted, so that their names are traced.
NAMED: dict[str, Rule] = {'blur': _blur}
