"""Exporter: the networks as StableHLO programs, which jax runs without us.

Every program takes the parameters as its first argument, the tensors of
`model.safetensors` by name, and keeps those that it needs. Inside, each program
would hold a copy of its own, the compiler would fold constants for minutes, and
the weights would be readable only as long as the program is: JAX promises six
months of that. The batch size is symbolic. What CPU, CUDA and TPU do each in
their own way (convolutions, see ops.convolution) is all in one program.
"""

import contextlib
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jax import export as jax_export

from alae_jax.formats import functions, safetensors
from alae_jax.formats.exporters import FUNCTIONS, Exported, StoredRun
from alae_jax.inference import pure
from alae_jax.inference.model import Model
from alae_jax.runs import exported as exported_lib

PLATFORMS = ('cpu', 'cuda', 'tpu')
_SOURCES = 'jax_hlo_source_file_canonicalization_regex'
_KEYS = 'threefry2x32'  # whatever kind a user's JAX makes

_GUIDE = """{text}

```python
import jax.export
import numpy as np
from safetensors.numpy import load_file

with open('{name}.stablehlo', 'rb') as file:
  program = jax.export.deserialize(bytearray(file.read()))
parameters = load_file('model.safetensors')
{inputs}
result = program.call(parameters, {takes})  # {gives} {shape}
```
"""


def export(run: StoredRun) -> Exported:
  """The files of the safetensors format, and a program for each function."""
  model, weights = run.loaded.model, safetensors.export(run)
  programs = {
    f'{name}.stablehlo': bytes(lower(model, name).serialize())
    for name in FUNCTIONS
  }
  guide = {
    f'{name}.stablehlo': functions.guide(
      _GUIDE, name, _TABLE[name], _shapes(model)
    )
    for name in FUNCTIONS
  }
  return Exported(weights.files | programs, weights.guide | guide)


def lower(model: Model, name: str) -> jax_export.Exported:
  """A function of a model for every platform and any number of rows.

  Args:
    model: at whose level it works.
    name: one of FUNCTIONS.
  """
  function = _TABLE[name]
  (rows,) = jax_export.symbolic_shape('rows')
  arguments = [
    jax.ShapeDtypeStruct(
      (rows, *shape) if shape else (),
      jnp.uint32 if argument == 'keys' else jnp.float32,
    )
    for argument in function.takes
    for shape in [_shapes(model)[argument]]
  ]
  parameters = jax.tree.map(
    lambda tensor: jax.ShapeDtypeStruct(tensor.shape, tensor.dtype),
    exported_lib.to_tensors(model.params, model.mean_w),
  )

  def call(parameters, *arguments):
    return function.call(model, parameters, *arguments)

  call.__name__ = name  # by which profilers know the program
  with _without_paths():
    return jax_export.export(jax.jit(call), platforms=PLATFORMS)(
      parameters, *arguments
    )


@contextlib.contextmanager
def _without_paths() -> Iterator[None]:
  """Has JAX leave out the folders of source files.

  It writes down what line each operation is from. Where the package lies on
  this machine is no business of those who are given the program.
  """
  before = jax.config.values[_SOURCES]
  jax.config.update(_SOURCES, '.*/')
  try:
    yield
  finally:
    jax.config.update(_SOURCES, before)


def _shapes(model: Model) -> dict[str, tuple[int, ...]]:
  return {**functions.shapes(model), 'keys': (2,)}


def _generate(model: Model, tensors, keys, psi):
  """Like `Model.generate` with a key for each image."""
  keys = jax.random.wrap_key_data(keys, impl=_KEYS)
  pairs = jax.vmap(jax.random.split)(keys)
  draw = jax.vmap(lambda key: jax.random.normal(key, (model.z_dim,)))
  styles = functions.truncated_styles(model, tensors, draw(pairs[:, 0]), psi)
  params = exported_lib.to_params(tensors)
  return pure.apply_g(
    model.networks, model.level, params, model.blend, styles, pairs[:, 1]
  )


_TABLE = functions.SHARED | {
  'generate': functions.Function(
    _generate,
    ('keys', 'psi'),
    'images',
    'Keys, uint32, and the truncation psi (1 for none, 0 for the mean image)\n'
    'to images. Latent and noise of an image follow from its own key; the key\n'
    '[0, seed] gives what `alae generate` makes of a seed.',
  ),
}
