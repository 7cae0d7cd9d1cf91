"""A graph of ONNX operators that is being written."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

# Of ONNX 1.13: nothing newer is needed, and runtimes of 2023 read it.
OPSET = 18
_IR_VERSION = 8

# Whole numbers, and names of sizes that are known when a graph runs.
Shape = tuple[int | str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
  """A value in a graph.

  ONNX's operators on elements broadcast, JAX's do not, and are given operands
  that were broadcast before. That is put off until it is needed: a tensor may
  be of size 1 along an axis where JAX has more.

  Attributes:
    shape: as it is in the graph.
    name: in the graph; '' for what is known already.
    known: what depends on no argument and no weight.
    primitive: of JAX, that has made it.
    operands: of that.
  """

  shape: Shape
  name: str = ''
  known: np.ndarray | None = None
  primitive: str = ''
  operands: tuple['Tensor', ...] = ()


@dataclasses.dataclass(frozen=True)
class Place:
  """Where in a file beside the graph's a weight lies.

  Attributes:
    shape: of the weight, which is float32.
    file: its name.
    offset: in bytes.
  """

  shape: tuple[int, ...]
  file: str
  offset: int


class Graph:
  """Collects operators, in order, and constants."""

  def __init__(self, rows: tuple[str, str]):
    """Starts without operators.

    Args:
      rows: name of the size that is not known, and of an input whose first
        axis has it.
    """
    self._rows, self._measured = rows
    self._nodes: list[onnx.NodeProto] = []
    self._constants: dict[tuple, onnx.TensorProto] = {}
    self._names = 0

  def name(self, tensor: Tensor) -> str:
    """By which operators are given a tensor."""
    return tensor.name or self.constant(tensor.known)

  def constant(self, value: Any) -> str:
    """The name of a constant; of equal ones, the same."""
    array = np.ascontiguousarray(value).reshape(np.shape(value))
    key = (array.tobytes(), array.dtype, array.shape)
    if key not in self._constants:
      name = f'constant_{len(self._constants)}'
      self._constants[key] = numpy_helper.from_array(array, name)
    return self._constants[key].name

  def integers(self, values: Sequence[int]) -> str:
    """The name of a constant vector of int64: axes, sizes and the like."""
    return self.constant(np.array(values, np.int64))

  def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
    """Adds an operator and names its output."""
    return self.add_several(operator, 1, *inputs, **attributes)[0]

  def add_several(
    self, operator: str, outputs: int, *inputs: str, **attributes: Any
  ) -> list[str]:
    """Adds an operator with several outputs and names these."""
    names = [f'value_{self._names + i}' for i in range(outputs)]
    self._names += outputs
    self._nodes.append(helper.make_node(operator, inputs, names, **attributes))
    return names

  def sizes(self, shape: Shape) -> str:
    """The name of a vector that holds a shape when the graph runs."""
    parts = []
    for size in shape:
      if size == self._rows:
        parts.append(self.add('Shape', self._measured, start=0, end=1))
      else:
        parts.append(self.integers([int(size)]))
    return self.add('Concat', *parts, axis=0)

  def model(
    self,
    name: str,
    text: str,
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, tuple[str, Shape]],
    weights: Mapping[str, Place],
    producer: tuple[str, str],
  ) -> onnx.ModelProto:
    """The whole, without operators that lead to no output.

    Args:
      name: of the graph.
      text: what it does.
      inputs: shape of each; all are float32.
      outputs: {name: (name in the graph, shape)}.
      weights: those that operators may name, stored elsewhere.
      producer: what writes it, and of which version.
    """
    for output, (value, _) in outputs.items():
      self._nodes.append(helper.make_node('Identity', [value], [output]))
    nodes, used = self._needed(outputs)
    graph = helper.make_graph(
      nodes,
      name,
      [_information(key, shape) for key, shape in inputs.items()],
      [_information(key, shape) for key, (_, shape) in outputs.items()],
      [c for c in self._constants.values() if c.name in used]
      + [_elsewhere(key, weights[key]) for key in weights if key in used],
      doc_string=text,
    )
    return helper.make_model(
      graph,
      opset_imports=[helper.make_opsetid('', OPSET)],
      ir_version=_IR_VERSION,
      producer_name=producer[0],
      producer_version=producer[1],
      doc_string=text,
    )

  def _needed(self, outputs) -> tuple[list[onnx.NodeProto], set[str]]:
    """The operators that outputs depend on, and all names in use there."""
    nodes, used = [], set(outputs)
    for node in reversed(self._nodes):
      if not used.isdisjoint(node.output):
        nodes.append(node)
        used.update(node.input)
    return nodes[::-1], used


def _information(name: str, shape: Shape) -> onnx.ValueInfoProto:
  return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _elsewhere(name: str, place: Place) -> onnx.TensorProto:
  """A weight that is read where it is stored."""
  tensor = onnx.TensorProto(
    name=name,
    data_type=onnx.TensorProto.FLOAT,
    dims=place.shape,
    data_location=onnx.TensorProto.EXTERNAL,
  )
  length = 4 * int(np.prod(place.shape, dtype=np.int64))
  for key, value in (
    ('location', place.file),
    ('offset', place.offset),
    ('length', length),
  ):
    tensor.external_data.add(key=key, value=str(value))
  return tensor
