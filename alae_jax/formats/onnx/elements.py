"""Rules for operations on each element."""

from collections.abc import Sequence

from alae_jax.formats.onnx.graph import Graph, Shape, Tensor
from alae_jax.formats.onnx.rules import Operation, Rule


def _elementwise(operator: str) -> Rule:
  def rule(graph: Graph, operation: Operation, *operands: Tensor) -> Tensor:
    del operation
    return _apply(graph, operator, *operands)

  return rule


def _apply(graph: Graph, operator: str, *operands: Tensor) -> Tensor:
  """An operator that broadcasts."""
  return Tensor(
    _broadcast([operand.shape for operand in operands]),
    graph.add(operator, *(graph.name(operand) for operand in operands)),
  )


def _broadcast(shapes: Sequence[Shape]) -> Shape:
  """The shape of what comes out, of operands that JAX has found to fit."""
  rank = max(len(shape) for shape in shapes)
  padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
  return tuple(
    next((size for size in sizes if size != 1), 1)
    for sizes in zip(*padded, strict=True)
  )


def _square(graph: Graph, operation: Operation, x: Tensor) -> Tensor:
  return _apply(graph, 'Mul', x, x)


def _rsqrt(graph: Graph, operation: Operation, x: Tensor) -> Tensor:
  return _apply(graph, 'Reciprocal', _apply(graph, 'Sqrt', x))


def _select(
  graph: Graph, operation: Operation, which: Tensor, no: Tensor, yes: Tensor
) -> Tensor:
  slope = _slope(which, no, yes)
  if slope is not None:
    name = graph.add('LeakyRelu', graph.name(yes), alpha=slope)
    return Tensor(yes.shape, name)
  return _apply(graph, 'Where', which, yes, no)


def _slope(which: Tensor, no: Tensor, yes: Tensor) -> float | None:
  """`slope` in where(x >= 0, x, slope * x), which is a leaky ReLU.

  One operator instead of three, which runtimes join to the convolution before.
  """
  if (which.primitive, no.primitive) != ('ge', 'mul'):
    return None
  (x, zero), (slope, times) = which.operands, no.operands
  if zero.known is None or slope.known is None:
    return None
  same = x.name == times.name == yes.name != ''
  is_leaky = same and slope.known.ndim == 0 and not zero.known.any()
  return float(slope.known) if is_leaky else None


RULES: dict[str, Rule] = {
  'add': _elementwise('Add'),
  'sub': _elementwise('Sub'),
  'mul': _elementwise('Mul'),
  'div': _elementwise('Div'),
  'neg': _elementwise('Neg'),
  'exp': _elementwise('Exp'),
  'sqrt': _elementwise('Sqrt'),
  'ge': _elementwise('GreaterOrEqual'),
  'gt': _elementwise('Greater'),
  'square': _square,
  'rsqrt': _rsqrt,
  'select_n': _select,
}
