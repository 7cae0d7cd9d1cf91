"""From what JAX has traced to a graph of ONNX operators."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.extend import core

from alae_jax.formats.onnx import elements, products, shapes
from alae_jax.formats.onnx.graph import Graph, Shape, Tensor
from alae_jax.formats.onnx.rules import Operation, Unwritable, full

RULES = elements.RULES | shapes.RULES | products.RULES
_INLINED = {'jit': 'jaxpr', 'custom_vjp_call': 'call_jaxpr'}


def translate(
  graph: Graph, traced: core.ClosedJaxpr, arguments: Sequence[Tensor]
) -> list[Tensor]:
  """Writes a function into a graph.

  What depends on no argument is computed here and now, functions inside are
  written where they are called, and what each platform does in its own way is
  done as on an accelerator.

  Args:
    graph: that operators are added to.
    traced: the function.
    arguments: of the function.

  Returns:
    What the function gives, broadcast in full.

  Raises:
    Unwritable: it holds an operation that there is no rule for.
  """
  return [
    full(graph, tensor, shape_of(variable))
    for tensor, variable in zip(
      _inlined(graph, traced, arguments), traced.jaxpr.outvars, strict=True
    )
  ]


def shape_of(variable: Any) -> Shape:
  """With the names of sizes that are not known."""
  return tuple(
    int(size) if isinstance(size, int) else str(size)
    for size in variable.aval.shape
  )


def _inlined(
  graph: Graph, traced: core.ClosedJaxpr, arguments: Sequence[Tensor]
) -> list[Tensor]:
  """What a function gives, as it is in the graph, see `Tensor`."""
  jaxpr = traced.jaxpr
  there = dict(
    zip(
      [*jaxpr.constvars, *jaxpr.invars],
      [*map(_known, traced.consts), *arguments],
      strict=True,
    )
  )
  for equation in jaxpr.eqns:
    operands = tuple(_read(there, operand) for operand in equation.invars)
    made = _written(graph, equation, operands)
    there.update(zip(equation.outvars, made, strict=True))
  return [_read(there, variable) for variable in jaxpr.outvars]


def _read(there: dict[Any, Tensor], variable: Any) -> Tensor:
  if isinstance(variable, core.Literal):
    aval: Any = variable.aval
    return _known(np.asarray(variable.val, aval.dtype))
  return there[variable]


def _known(value: Any) -> Tensor:
  array = np.asarray(value)
  return Tensor(array.shape, known=array)


def _written(
  graph: Graph, equation: core.JaxprEqn, operands: tuple[Tensor, ...]
) -> list[Tensor]:
  """What comes out of one operation."""
  name, params = equation.primitive.name, equation.params
  if name == 'platform_index':
    return [_known(params['platforms'].index(None))]
  if name == 'cond':
    return _branch(graph, params['branches'], operands)
  rule = RULES.get(name)
  if name in _INLINED:
    rule = products.NAMED.get(params.get('name', ''))
    if rule is None:
      return _inlined(graph, params[_INLINED[name]], operands)
  operation = Operation(
    params,
    tuple(map(shape_of, equation.invars)),
    tuple(map(shape_of, equation.outvars)),
  )
  if _is_known(name, operation, operands):
    return _computed(equation, operands)
  if rule is None:
    raise Unwritable(name)
  try:
    made = rule(graph, operation, *operands)
  except Unwritable as error:
    raise Unwritable(f'{name} {error}') from error
  return [
    dataclasses.replace(tensor, primitive=name, operands=operands)
    for tensor in (made if isinstance(made, list) else [made])
  ]


def _branch(
  graph: Graph, branches: Sequence[Any], operands: Sequence[Tensor]
) -> list[Tensor]:
  index, *rest = operands
  if index.known is None:
    raise Unwritable('cond that depends on an argument')
  return _inlined(graph, branches[int(index.known)], rest)


def _is_known(
  name: str, operation: Operation, operands: Sequence[Tensor]
) -> bool:
  """Whether neither arguments nor sizes decide what comes out."""
  sizes = [size for shape in operation.gives for size in shape]
  return (
    name != 'dim_as_value'  # the number of rows
    and all(operand.known is not None for operand in operands)
    and not any(isinstance(size, str) for size in sizes)
  )


def _computed(
  equation: core.JaxprEqn, operands: Sequence[Tensor]
) -> list[Tensor]:
  made = equation.primitive.bind(
    *(operand.known for operand in operands), **equation.params
  )
  several = equation.primitive.multiple_results
  return [_known(value) for value in (made if several else [made])]
