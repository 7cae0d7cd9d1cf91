"""Each operation does in ONNX Runtime what it does in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export as jax_export

pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')

from alae_jax.formats.onnx.graph import Graph, Tensor  # noqa: E402
from alae_jax.formats.onnx.rules import Unwritable  # noqa: E402
from alae_jax.formats.onnx.translation import (  # noqa: E402
  RULES,
  shape_of,
  translate,
)
from alae_jax.models.layers import leaky_relu  # noqa: E402
from alae_jax.ops import convolution, resample  # noqa: E402

ROWS = 3


def graph_of(function, *shapes):
  """The graph of a function of arrays, each of a number of rows."""
  (rows,) = jax_export.symbolic_shape('rows')
  traced = jax.make_jaxpr(function)(
    *(jax.ShapeDtypeStruct((rows, *shape), jnp.float32) for shape in shapes)
  )
  inputs = {
    f'x_{i}': shape_of(variable)
    for i, variable in enumerate(traced.jaxpr.invars)
  }
  graph = Graph(('rows', 'x_0'))
  (made,) = translate(
    graph, traced, [Tensor(shape, name) for name, shape in inputs.items()]
  )
  outputs = {'y': (made.name, made.shape)}
  return graph.model('test', '', inputs, outputs, {}, ('test', '0'))


def operators(function, *shapes):
  nodes = graph_of(function, *shapes).graph.node
  return [node.op_type for node in nodes if node.op_type != 'Identity']


def compare(function, *shapes):
  model = graph_of(function, *shapes)
  rng = np.random.default_rng(0)
  arrays = [
    rng.normal(size=(ROWS, *shape)).astype(np.float32) for shape in shapes
  ]
  session = onnxruntime.InferenceSession(model.SerializeToString())
  (made,) = session.run(None, {f'x_{i}': x for i, x in enumerate(arrays)})
  wanted = np.asarray(function(*arrays))
  assert made.shape == wanted.shape
  assert made.dtype == wanted.dtype == np.float32
  np.testing.assert_allclose(made, wanted, rtol=1e-5, atol=1e-5)


def convolve(inputs=4, outputs=6, side=3, **options):
  """A convolution with a constant kernel, of maps [6, 5] of some channels."""
  groups = options.get('feature_group_count', 1)
  kernel = np.random.default_rng(1).normal(
    size=(side, side, inputs // groups, outputs)
  )

  def function(x):
    given = {'window_strides': (1, 1), 'padding': 'SAME', **options}
    return jax.lax.conv_general_dilated(
      x,
      jnp.asarray(kernel, jnp.float32),
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      **given,
    )

  return function, (6, 5, inputs)


PAIR = (4, 6), (4, 6)
BELOW = np.arange(6) < 3
MATRIX = np.random.default_rng(2).normal(size=(6, 2)).astype(np.float32)
# (what is computed, shapes of a row of its arguments), by primitive.
CASES = {
  'add': [(lambda x, y: x + y, *PAIR), (lambda x: 2 + x, (4,))],
  'sub': [(lambda x, y: x - y, *PAIR), (lambda x: 2 - x, (4,))],
  'mul': [(lambda x, y: x * y, *PAIR), (lambda x: x * 3, (4,))],
  'div': [(lambda x, y: x / (2 + y * y), *PAIR), (lambda x: 2 / (x + 9), (4,))],
  'neg': [(lambda x: -x, (4,))],
  'exp': [(jnp.exp, (4,))],
  'sqrt': [(lambda x: jnp.sqrt(x * x), (4,))],
  'rsqrt': [(lambda x: jax.lax.rsqrt(x * x + 1), (4,))],
  'square': [(jnp.square, (4,))],
  'ge': [(lambda x: jnp.where(x >= 0.5, x, 7), (4, 6))],
  'gt': [(lambda x, y: jnp.where(x > y, x, y), *PAIR)],
  'select_n': [
    (lambda x, y: jnp.where(BELOW, x, y), *PAIR),
    (lambda x: jnp.where(x >= 0.5, x, 0.2 * x), (4,)),  # no leaky ReLU
    (lambda x: jnp.where(x >= 0, 0.2 * x, x), (4,)),
    (lambda x, y: jnp.where(x >= 0, x, 0.2 * y), *PAIR),
    (lambda x: leaky_relu(x, 0.3), (4, 6)),
  ],
  'broadcast_in_dim': [
    (lambda x: jnp.broadcast_to(x[:, None], (x.shape[0], 2, 4)), (4,)),
    (lambda x: x[:, :, None] * MATRIX[None, :4], (4,)),
    (lambda x: jnp.zeros((x.shape[0], 2)), (4,)),
    (lambda x: jnp.ones((3, 1))[None] + x[:, None], (4,)),
  ],
  'reshape': [
    (lambda x: x.reshape(x.shape[0], -1), (4, 6)),
    (lambda x: x.reshape(-1, 2, 2, 6), (4, 6)),
    (lambda x: resample.upsample(x), (2, 3, 4)),
  ],
  'concatenate': [
    (lambda x, y: jnp.concatenate([x, 2 * y], axis=-1), (4, 1), (4, 6)),
  ],
  'split': [
    (lambda x: jnp.subtract(*jnp.split(x, 2, axis=2)), (4, 6)),
    (lambda x: jnp.split(x, [1, 3], axis=1)[1], (4, 6)),
  ],
  'pad': [
    (lambda x: jnp.pad(x, ((0, 0), (1, 0), (2, 3))), (4, 6)),
    (lambda x: jnp.pad(x, ((0, 0), (1, 0)), constant_values=2), (4,)),
  ],
  'gather': [
    (lambda x: x[:, 2], (4, 6)),
    (lambda x: x[:, -1, 2], (4, 6)),
    (lambda x: x[:, 1:3], (4, 6)),
    (lambda x: x[:, :, 1:6:2], (4, 6)),
    (lambda x: x[:, 1::2] - x[:, ::2], (4, 6)),
    (lambda x: jnp.broadcast_to(x[:, None], (x.shape[0], 5, 4))[:, 3], (4,)),
    (resample.downsample, (4, 6, 5)),
  ],
  'reduce_sum': [
    (lambda x: jnp.sum(x, axis=(1, 2)), (4, 6)),
    (lambda x: jnp.mean(x, axis=1, keepdims=True), (4, 6)),
    (lambda x: jnp.broadcast_to(x, (x.shape[0], 4)).sum(1), (1,)),
  ],
  'dot_general': [
    (lambda x: x @ MATRIX, (6,)),
    (lambda x: x @ MATRIX + 1, (4, 3, 6)),
  ],
  'conv_general_dilated': [
    convolve(),
    convolve(window_strides=(2, 1)),
    convolve(padding=[(0, 2), (1, 1)]),
    convolve(rhs_dilation=(1, 2)),
    convolve(feature_group_count=2),
    convolve(side=4, lhs_dilation=(2, 2), padding=[(2, 2)] * 2),
    convolve(side=3, lhs_dilation=(3, 2), padding=[(1, 2), (2, 0)]),
  ],
}


def test_no_rule_is_without_a_case():
  assert set(CASES) == set(RULES)


@pytest.mark.parametrize('primitive', CASES)
def test_operations_do_what_jax_does(primitive):
  for function, *shapes in CASES[primitive]:
    compare(function, *shapes)


@pytest.mark.parametrize(
  ('operation', 'shape'),
  [
    (convolution.conv2d, (6, 4)),
    (convolution.upsample_conv2d, (6, 4)),
    (convolution.downsample_conv2d, (6, 4)),
  ],
)
def test_each_convolution_is_one(operation, shape):
  # Wide enough for CPU and accelerators to compute it differently.
  kernel = (
    np.random.default_rng(3).normal(size=(3, 3, 20, 4)).astype(np.float32)
  )

  def function(x):
    return operation(x, kernel)

  compare(function, (*shape, 20))
  names = operators(function, (*shape, 20))
  assert sum(name.startswith('Conv') for name in names) == 1


def test_a_blur_is_one_convolution():
  compare(resample.blur, (6, 4, 3))
  names = operators(resample.blur, (6, 4, 3))
  assert names == ['Expand', 'Transpose', 'Conv', 'Transpose']


def test_a_leaky_relu_is_one_operator():
  assert operators(leaky_relu, (4, 6)) == ['LeakyRelu']


def test_what_no_argument_decides_is_computed_at_once():
  assert operators(lambda x: x + jnp.cumsum(jnp.arange(4.0)), (4,)) == ['Add']


def test_what_leads_nowhere_is_left_out():
  def function(x):
    jnp.exp(x)
    return x + 1

  assert operators(function, (4,)) == ['Add']


def test_inputs_and_constants_can_come_out():
  compare(lambda x: x, (4,))
  compare(lambda x: jnp.full((x.shape[0], 2), 3.0), (4,))


REFUSED = {
  'sin': (jnp.sin, (4,)),
  'dim_as_value': (lambda x: x / x.shape[0], (4,)),
  'convert_element_type': (lambda x: x.astype(jnp.int32), (4,)),
  'gather': (lambda x: x[:, np.array([0, 1, 3])], (4,)),
  'reshape with another order': (
    lambda x: jax.lax.reshape(x, (x.shape[0], 24), (0, 2, 1)),
    (4, 6),
  ),
  'reshape with two sizes': (
    lambda x: (x[:, None] + x[None]).reshape(x.shape[0], -1),
    (4,),
  ),
  'gather along several': (lambda x: x[:, np.array([0, 1]), 1:3], (4, 6)),
  'pad that cuts off': (
    lambda x: jax.lax.pad(x, 0.0, ((0, 0, 0), (-1, 0, 0))),
    (4,),
  ),
  'pad between elements': (
    lambda x: jax.lax.pad(x, 0.0, ((0, 0, 0), (0, 0, 1))),
    (4,),
  ),
  'dot_general but for vectors': (
    lambda x: jnp.einsum('nij,nkj->nik', x, x),
    (4, 6),
  ),
  'conv_general_dilated that cuts off': convolve(padding=[(-1, 1), (1, 1)]),
  'conv_general_dilated of spread maps but': convolve(
    lhs_dilation=(2, 2), window_strides=(2, 2), padding=[(1, 1)] * 2
  ),
  'conv_general_dilated of spread maps with more': convolve(
    lhs_dilation=(2, 2), padding=[(3, 2), (2, 2)]
  ),
  'conv_general_dilated with groups of images': (
    lambda x: jax.lax.conv_general_dilated(
      jnp.concatenate([x, x]),
      np.ones((3, 3, 4, 6), np.float32),
      (1, 1),
      'SAME',
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      batch_group_count=2,
    ),
    (6, 5, 4),
  ),
}


@pytest.mark.parametrize('said', REFUSED)
def test_other_operations_are_refused_by_name(said):
  function, *shapes = REFUSED[said]
  with pytest.raises(Unwritable, match=said):
    graph_of(function, *shapes)
