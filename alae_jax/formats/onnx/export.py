"""Exporter: the networks as ONNX files, for runtimes that know no JAX.

Each file holds a graph and no weights: these are read out of
`model.safetensors`, in which they lie as ONNX wants them (little-endian
float32), at the offsets that its header tells. What a graph makes of weights
alone, runtimes compute when they load it.
"""

import json
import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import onnx
from jax import export as jax_export

from alae_jax import __version__
from alae_jax.errors import UserError
from alae_jax.formats import functions, safetensors
from alae_jax.formats.exporters import (
  FUNCTIONS,
  WEIGHTS,
  Exported,
  StoredRun,
)
from alae_jax.formats.onnx.graph import Graph, Place, Tensor
from alae_jax.formats.onnx.rules import Unwritable
from alae_jax.formats.onnx.translation import shape_of, translate
from alae_jax.inference.model import Model
from alae_jax.models.networks import Stage
from alae_jax.runs import exported as exported_lib

_ROWS = 'rows'
_GUIDE = """{text}
The weights are read from `model.safetensors`, which must lie beside it.

```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession('{name}.onnx')
{inputs}
(result,) = session.run(None, {{{feed}}})  # {gives} {shape}
```
"""


def export(run: StoredRun) -> Exported:
  """The files of the safetensors format, and a graph for each function."""
  model, weights = in_float32(run.loaded.model), safetensors.export(run)
  places = find_weights(WEIGHTS[0], weights.files[WEIGHTS[0]])
  graphs = {
    f'{name}.onnx': write(model, name, places).SerializeToString()
    for name in FUNCTIONS
  }
  guide = {f'{name}.onnx': _guide(model, name) for name in FUNCTIONS}
  return Exported(weights.files | graphs, weights.guide | guide)


def in_float32(model: Model) -> Model:
  """A model that computes in what every runtime computes in fast."""
  networks = model.networks.computing_in(jnp.float32)
  return Model(
    model.config, networks, model.params, model.mean_w, model.level, model.blend
  )


def find_weights(file: str, content: bytes) -> dict[str, Place]:
  """Where the tensors of a safetensors file lie.

  Args:
    file: its name.
    content: of the file: the length of a header (8 bytes, little-endian), the
      header (JSON), and the tensors.
  """
  start = 8 + int.from_bytes(content[:8], 'little')
  header = json.loads(content[8:start])
  header.pop('__metadata__', None)
  return {
    name: Place(tuple(facts['shape']), file, start + facts['data_offsets'][0])
    for name, facts in header.items()
  }


def write(
  model: Model, name: str, weights: Mapping[str, Place]
) -> onnx.ModelProto:
  """A function of a model for any number of rows.

  Args:
    model: at whose level it works.
    name: one of FUNCTIONS.
    weights: where each lies.

  Raises:
    UserError: it can't be written in ONNX.
  """
  function = _table(model)[name]
  traced = _trace(model, function, weights)
  names = [*sorted(weights), *function.takes]
  arguments = [
    Tensor(shape_of(variable), key)
    for key, variable in zip(names, traced.jaxpr.invars, strict=True)
  ]
  graph = Graph((_ROWS, function.takes[0]))
  try:
    (made,) = translate(graph, traced, arguments)
  except Unwritable as error:
    raise UserError(
      f'{name} of this model takes an operation that ONNX is not written for: '
      f'{error} (jax {jax.__version__}): export it to another format'
    ) from error
  return graph.model(
    name,
    function.text,
    {argument.name: argument.shape for argument in arguments[len(weights) :]},
    {function.gives: (made.name, made.shape)},
    weights,
    ('alae_jax', __version__),
  )


def _trace(model: Model, function: functions.Function, weights):
  """The operations of a function, of the weights by name and of arguments."""
  (rows,) = jax_export.symbolic_shape(_ROWS)
  shapes = _shapes(model)
  tensors = {
    name: jax.ShapeDtypeStruct(place.shape, jnp.float32)
    for name, place in weights.items()
  }
  arguments = [
    jax.ShapeDtypeStruct(
      (rows, *shapes[argument]) if shapes[argument] else (), jnp.float32
    )
    for argument in function.takes
  ]
  return jax.make_jaxpr(
    lambda tensors, *arguments: function.call(model, tensors, *arguments)
  )(tensors, *arguments)


def _planes(model: Model) -> list[tuple[int, ...]]:
  """The shape of each plane of noise of an image."""
  planes = jax.eval_shape(
    lambda: model.networks.draw_noise(jax.random.key(0), 1, model.level)
  )
  return [plane.shape[1:] for plane in planes]


def _shapes(model: Model) -> dict[str, tuple[int, ...]]:
  return {
    **functions.shapes(model),
    'noise': (sum(map(math.prod, _planes(model))),),
  }


def _generate(model: Model, tensors, z, psi, noise=None):
  """Like `Model.generate` with latents and noise that are given."""
  styles = functions.truncated_styles(model, tensors, z, psi)
  planes: list[jax.Array] = []
  start = 0
  for shape in _planes(model):
    end = start + math.prod(shape)
    planes.append(noise[:, start:end].reshape(-1, *shape))
    start = end
  params = exported_lib.to_params(tensors)
  stage = Stage(model.level, model.blend)
  return model.networks.decode(params, styles, stage, planes)


def _table(model: Model) -> dict[str, functions.Function]:
  """FUNCTIONS; G takes noise where there are planes for it."""
  text = (
    'F and G: z, standard normal, and the truncation psi (1 for none, 0 for\n'
    'the mean image) to images.'
  )
  takes: tuple[str, ...] = ('z', 'psi')
  if _planes(model):
    text += (
      ' No random number is drawn: G is given its noise, standard\n'
      'normal, the planes of all layers in one vector for each image.'
    )
    takes = (*takes, 'noise')
  generate = functions.Function(_generate, takes, 'images', text)
  return functions.SHARED | {'generate': generate}


def _guide(model: Model, name: str) -> str:
  return functions.guide(_GUIDE, name, _table(model)[name], _shapes(model))
