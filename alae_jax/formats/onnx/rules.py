"""What the rules share: how an operation of JAX is written in ONNX.

A rule takes the graph, what JAX says of the operation, and its operands; it
gives the tensors that come out.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from alae_jax.formats.onnx.graph import Graph, Shape, Tensor


class Unwritable(Exception):
  """There is no rule for an operation, or not for this form of it."""


class Operation(NamedTuple):
  """What JAX says of an operation.

  Attributes:
    params: its parameters.
    takes: shapes of the operands, as JAX sees them.
    gives: shapes of what comes out.
  """

  params: Mapping[str, Any]
  takes: tuple[Shape, ...]
  gives: tuple[Shape, ...]


Rule = Callable[..., Tensor | list[Tensor]]


def require(condition: bool, form: str) -> None:
  """Refuses a form of an operation that no network has asked for.

  Raises:
    Unwritable: the condition does not hold.
  """
  if not condition:
    raise Unwritable(form)


def full(graph: Graph, tensor: Tensor, shape: Shape) -> Tensor:
  """A tensor that has been broadcast to the shape that JAX sees."""
  if tensor.shape == shape:
    return tensor
  sizes = graph.sizes(shape)
  return Tensor(shape, graph.add('Expand', graph.name(tensor), sizes))


def all_full(rule: Rule) -> Rule:
  """A rule whose operands are given in full."""

  @functools.wraps(rule)
  def call(graph: Graph, operation: Operation, *operands: Tensor):
    return rule(
      graph,
      operation,
      *(
        full(graph, operand, shape)
        for operand, shape in zip(operands, operation.takes, strict=True)
      ),
    )

  return call
