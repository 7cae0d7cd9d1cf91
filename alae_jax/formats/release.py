"""StyleALAE parameters in the layout of the authors' PyTorch release.

Pure numpy: a release checkpoint is here a dict of arrays named
`<network>/<tensor>`, where the networks are `discriminator` (E), `generator`
(G), `mapping_tl` (D), `mapping_fl` (F) and `dlatent_avg` (the running mean of
w). Ours is the parameter tree of `Networks.init`.

The release stores weights already multiplied by their equalising scale, and
numbers E's blocks from the largest resolution down; ours counts levels from
4x4 up everywhere.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from alae_jax.errors import UserError

Tensors = dict[str, np.ndarray]
Model = Mapping[str, Any]  # the fields that `infer_architecture` returns

KINDS = ('style',)  # of models that the release has a layout for

_MEAN_W = 'dlatent_avg/buff'
_NETWORKS = ('discriminator', 'generator', 'mapping_tl', 'mapping_fl')
_BLUR = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32) / 16
_TRANSPOSED_FROM = 128  # image side from which the doubling is transposed
_SQRT_2 = math.sqrt(2.0)
_LRMUL = 0.1


@dataclasses.dataclass(frozen=True)
class Tensor:
  """Where a tensor of the release goes, and how.

  Attributes:
    path: of our parameter.
    shape: in the release.
    scale: theirs / ours.
    decode: from their axes to ours.
    encode: back.
  """

  path: tuple[str, ...]
  shape: tuple[int, ...]
  scale: float = 1.0
  decode: Callable[[np.ndarray], np.ndarray] = np.asarray
  encode: Callable[[np.ndarray], np.ndarray] = np.asarray


def infer_architecture(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """The `model` fields of a config that these tensors belong to.

  Args:
    tensors: a release checkpoint, see the module's docstring.

  Returns:
    kind, levels, base_channels, max_channels, channels, z_dim, w_dim,
    mapping_layers and discriminator_layers.

  Raises:
    UserError: a tensor is missing, unknown or of another shape.
  """
  levels = _count(tensors, 'generator/to_rgb.{}.to_rgb.weight')
  f_layers = _count(tensors, 'mapping_fl/map_blocks.{}.fc.weight')
  d_layers = _count(tensors, 'mapping_tl/map_blocks.{}.weight')
  base, channels = _shape(
    tensors, 'discriminator/from_rgb.0.from_rgb.weight', 4
  )[:2]
  w_dim, z_dim = _shape(tensors, 'mapping_fl/map_blocks.0.fc.weight', 2)
  last = f'discriminator/encode_block.{levels - 1}.conv_2.weight'
  model = {
    'kind': KINDS[0],
    'levels': levels,
    'base_channels': base,
    'max_channels': _shape(tensors, last, 4)[0],
    'channels': channels,
    'z_dim': z_dim,
    'w_dim': w_dim,
    'mapping_layers': f_layers,
    'discriminator_layers': d_layers,
  }
  _check(tensors, model)
  return model


def from_release(
  tensors: Mapping[str, np.ndarray],
) -> tuple[dict[str, Any], np.ndarray]:
  """Our parameters and mean_w [2 * levels, w_dim], all float32.

  Args:
    tensors: a release checkpoint, see the module's docstring.

  Raises:
    UserError: see `infer_architecture`.
  """
  params: dict[str, Any] = {}
  for name, tensor in layout(infer_architecture(tensors)).items():
    value = tensor.decode(np.asarray(tensors[name], np.float64)) / tensor.scale
    *parents, leaf = tensor.path
    node = params
    for parent in parents:
      node = node.setdefault(parent, {})
    node[leaf] = value.astype(np.float32)
  return params, np.asarray(tensors[_MEAN_W], np.float32)


def to_release(
  params: Mapping[str, Any],
  mean_w: np.ndarray,
  model: Model,
  dtype: Any = np.float64,
) -> Tensors:
  """Our parameters as a release checkpoint.

  The scaled weights do not fit float32 without loss: where the scale takes
  numbers into a coarser binade, two of ours round to one of theirs. In float64
  `from_release` gives back the very bits, and PyTorch rounds to the type of
  the module when it loads a state dict.

  Args:
    params: of `Networks`.
    mean_w: [2 * levels, w_dim], or [w_dim] for every layer.
    model: the `model` fields of the config, see `infer_architecture`.
    dtype: of the result.

  Returns:
    Every tensor of the release's networks, constants included.
  """
  tensors = {}
  for name, tensor in layout(model).items():
    value: Any = params
    for key in tensor.path:
      value = value[key]
    value = tensor.encode(np.asarray(value, np.float64)) * tensor.scale
    tensors[name] = value.astype(dtype).reshape(tensor.shape)
  for name, channels in _blurs(model):
    tensors[name] = np.tile(_BLUR, (channels, 1, 1, 1)).astype(dtype)
  shape = 2 * model['levels'], model['w_dim']
  tensors[_MEAN_W] = np.broadcast_to(mean_w, shape).astype(dtype)
  return tensors


def cut(model: Model, levels: int) -> dict[str, Any]:
  """The `model` fields of a StyleALAE's lowest levels, as wide as before."""
  base = _widths(model)[levels - 1]
  return {**model, 'levels': levels, 'base_channels': base}


def layout(model: Model) -> dict[str, Tensor]:
  """Every learned tensor of the release by name."""
  return dict(
    [
      *_mapping(model),
      *_discriminator(model),
      *_generator(model),
      *_encoder(model),
    ]
  )


def _mapping(model: Model) -> Iterator[tuple[str, Tensor]]:
  for i in range(model['mapping_layers']):
    inputs = model['w_dim'] if i else model['z_dim']
    yield from _dense(
      f'mapping_fl/map_blocks.{i}.fc',
      ('mapping', f'dense_{i}'),
      inputs,
      model['w_dim'],
      lrmul=_LRMUL,
    )


def _discriminator(model: Model) -> Iterator[tuple[str, Tensor]]:
  layers, w_dim = model['discriminator_layers'], model['w_dim']
  for i in range(layers):
    outputs = 2 * w_dim if i == layers - 1 else w_dim
    yield from _dense(
      f'mapping_tl/map_blocks.{i}',
      ('discriminator', f'dense_{i}'),
      w_dim,
      outputs,
      lrmul=_LRMUL,
    )


def _generator(model: Model) -> Iterator[tuple[str, Tensor]]:
  widths = _widths(model)
  yield (
    'generator/const',
    Tensor(
      ('generator', 'const'),
      (1, widths[0], 4, 4),
      decode=lambda x: x[0].transpose(1, 2, 0),
      encode=lambda x: x.transpose(2, 0, 1)[None],
    ),
  )
  for i in range(model['levels']):
    yield from _dense(
      f'generator/to_rgb.{i}.to_rgb',
      ('generator', f'to_rgb_{i}'),
      widths[i],
      model['channels'],
      gain=0.03,
      pixels=(1, 1),
    )
    block, path = f'generator/decode_block.{i}', ('generator', f'block_{i}')
    if i > 0:
      yield _conv(
        f'{block}.conv_1',
        (*path, 'conv_1'),
        widths[i - 1],
        widths[i],
        transposed=4 << i >= _TRANSPOSED_FROM,
      )
    yield _conv(f'{block}.conv_2', (*path, 'conv_2'), widths[i], widths[i])
    for j in (1, 2):
      layer = (*path, f'layer_{j}')
      yield _vector(
        f'{block}.noise_weight_{j}', (*layer, 'noise_weight'), widths[i]
      )
      yield _vector(f'{block}.bias_{j}', (*layer, 'bias'), widths[i])
      yield from _dense(
        f'{block}.style_{j}',
        (*layer, 'style'),
        model['w_dim'],
        2 * widths[i],
        gain=1.0,
      )


def _encoder(model: Model) -> Iterator[tuple[str, Tensor]]:
  widths = _widths(model)
  for i in range(model['levels']):
    theirs = model['levels'] - 1 - i
    yield from _dense(
      f'discriminator/from_rgb.{theirs}.from_rgb',
      ('encoder', f'from_rgb_{i}'),
      model['channels'],
      widths[i],
      pixels=(1, 1),
    )
    block, path = (
      f'discriminator/encode_block.{theirs}',
      ('encoder', f'block_{i}'),
    )
    outputs = widths[i], widths[i - 1]
    for j, features in zip((1, 2), outputs, strict=True):
      layer = (*path, f'layer_{j}')
      yield _conv(
        f'{block}.conv_{j}', (*path, f'conv_{j}'), widths[i], features
      )
      yield _vector(f'{block}.bias_{j}', (*layer, 'bias'), features)
      yield from _dense(
        f'{block}.style_{j}', (*layer, 'style'), 2 * features, model['w_dim']
      )


def _widths(model: Model) -> dict[int, int]:
  """Channels by level; -1 is what E's last block makes."""
  return {
    i: min(
      model['max_channels'], model['base_channels'] << model['levels'] - 1 - i
    )
    for i in range(-1, model['levels'])
  }


def _blurs(model: Model) -> Iterator[tuple[str, int]]:
  """The names of the constant kernels and their channels."""
  widths = _widths(model)
  for i in range(model['levels']):
    theirs = model['levels'] - 1 - i
    yield f'generator/decode_block.{i}.blur.weight', widths[i]
    yield f'discriminator/encode_block.{theirs}.blur.weight', widths[i]


def _dense(
  name: str,
  path: tuple[str, ...],
  inputs: int,
  outputs: int,
  *,
  gain: float = _SQRT_2,
  lrmul: float = 1.0,
  pixels: tuple[int, ...] = (),
) -> Iterator[tuple[str, Tensor]]:
  """A linear layer, or a 1x1 convolution with pixels=(1, 1)."""
  shape = (outputs, inputs, *pixels)
  yield (
    f'{name}.weight',
    Tensor(
      (*path, 'kernel'),
      shape,
      gain / math.sqrt(inputs) * lrmul,
      decode=lambda x: x.reshape(outputs, inputs).T,
      encode=lambda x: x.T.reshape(shape),
    ),
  )
  yield f'{name}.bias', Tensor((*path, 'bias'), (outputs,), lrmul)


def _conv(
  name: str,
  path: tuple[str, ...],
  inputs: int,
  outputs: int,
  transposed: bool = False,
) -> tuple[str, Tensor]:
  """A 3x3 convolution, or a transposed one, whose kernel is turned around."""
  scale = _SQRT_2 / math.sqrt(9 * inputs)
  if transposed:
    return f'{name}.weight', Tensor(
      (*path, 'kernel'),
      (inputs, outputs, 3, 3),
      scale,
      decode=lambda x: x.transpose(2, 3, 0, 1)[::-1, ::-1],
      encode=lambda x: x[::-1, ::-1].transpose(2, 3, 0, 1),
    )
  return f'{name}.weight', Tensor(
    (*path, 'kernel'),
    (outputs, inputs, 3, 3),
    scale,
    decode=lambda x: x.transpose(2, 3, 1, 0),
    encode=lambda x: x.transpose(3, 2, 0, 1),
  )


def _vector(
  name: str, path: tuple[str, ...], channels: int
) -> tuple[str, Tensor]:
  return name, Tensor(
    path,
    (1, channels, 1, 1),
    decode=lambda x: x.reshape(channels),
    encode=lambda x: x.reshape(1, channels, 1, 1),
  )


def _count(tensors: Mapping[str, np.ndarray], name: str) -> int:
  """How many consecutive numbers `name` exists with; at least one."""
  count = 0
  while name.format(count) in tensors:
    count += 1
  if not count:
    raise UserError(f'release checkpoint lacks tensor {name.format(0)}')
  return count


def _shape(
  tensors: Mapping[str, np.ndarray], name: str, rank: int
) -> tuple[int, ...]:
  if name not in tensors:
    raise UserError(f'release checkpoint lacks tensor {name}')
  shape = np.shape(tensors[name])
  if len(shape) != rank:
    raise UserError(f'release tensor {name} has shape {shape}, not {rank} axes')
  return shape


def _check(tensors: Mapping[str, np.ndarray], model: Model) -> None:
  """Raises UserError unless the tensors are those of `model`."""
  expected = {name: tensor.shape for name, tensor in layout(model).items()}
  expected[_MEAN_W] = 2 * model['levels'], model['w_dim']
  for name, shape in expected.items():
    found = _shape(tensors, name, len(shape))
    if found != shape:
      raise UserError(f'release tensor {name} has shape {found}, not {shape}')
  blurs = dict(_blurs(model))
  for name in tensors:
    if name in blurs:
      _check_blur(name, tensors[name])
    elif name.split('/')[0] in _NETWORKS and name not in expected:
      raise UserError(f'release tensor {name} belongs to no known StyleALAE')


def _check_blur(name: str, kernel: np.ndarray) -> None:
  if kernel.shape[1:] != (1, 3, 3) or not np.allclose(kernel, _BLUR):
    raise UserError(f'release tensor {name} is not the [1, 2, 1] blur')
