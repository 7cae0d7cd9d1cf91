"""From published files to the parameters of our feature networks."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from flax import linen as nn
from flax import traverse_util

from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.formats import torch_file, torchscript
from alae_jax.metrics.networks import naming, published
from alae_jax.metrics.networks.inception import SIDE, Inception
from alae_jax.metrics.networks.vgg import Lpips

Arrays = dict[str, np.ndarray]  # by their paths in the tree, parted by slashes

# Each with the shapes of what it takes.
_MODULES: dict[str, tuple[nn.Module, tuple[tuple[int, ...], ...]]] = {
  'inception': (Inception(), ((1, SIDE, SIDE, 3),)),
  'lpips': (Lpips(), ((1, 32, 32, 3), (1, 32, 32, 3))),
}


@dataclasses.dataclass(frozen=True)
class Weights:
  """The weights of a feature network.

  Attributes:
    params: of the linen module, float32 arrays.
    sha256: of the file that they come from; of several, ' + ' between.
    source: the names of these files, likewise.
  """

  params: dict[str, Any]
  sha256: str
  source: str


def convert(name: str, paths: Sequence[epath.PathLike]) -> Weights:
  """Reads the weights of a network from files that others publish.

  Args:
    name: of the network, 'inception' or 'lpips'.
    paths: local or remote; together they must hold all of it. Files of
      PyTorch, for which it must be installed, or TorchScript archives.

  Raises:
    UserError: a file is missing, damaged or something else; tells what is
      missing of the network.
  """
  places = [storage.locate(path) for path in paths]
  digests = [published.check_sum(place) for place in places]
  tensors: dict[str, Any] = {}
  for path in paths:
    tensors |= _read(str(path))
  told = ' + '.join(place.name for place in places)
  arrays = _named(name, tensors, told)
  return Weights(
    traverse_util.unflatten_dict(arrays, sep='/'), ' + '.join(digests), told
  )


def shapes(name: str) -> dict[str, tuple[int, ...]]:
  """The shapes of a network's parameters, by their paths."""
  module, takes = _MODULES[name]
  inputs = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in takes]
  params = jax.eval_shape(module.init, jax.random.key(0), *inputs)['params']
  return {
    path: leaf.shape
    for path, leaf in traverse_util.flatten_dict(params, sep='/').items()
  }


def _read(path: str) -> Mapping[str, Any]:
  """The tensors of a file, as NumPy's or PyTorch's."""
  if torchscript.is_program(path):
    return torchscript.read(path)
  content = torch_file.read(path, wanted='file of weights')
  if not isinstance(content, dict):
    raise UserError(
      f'{path} holds no tensors by name but a {type(content).__name__}'
    )
  return {str(name): value for name, value in content.items()}


def _named(name: str, tensors: Mapping[str, Any], told: str) -> Arrays:
  """The parameters of a network.

  Args:
    name: of the network.
    tensors: by their published names.
    told: where they come from, for messages.

  Raises:
    UserError: some are missing or misshapen.
  """
  wanted = shapes(name)
  namings = _namings(name, wanted)
  found: Arrays = {}
  if 'output.weight' in tensors:  # NVIDIA's file has none of these, all 1
    scales = [path for path in wanted if path.endswith('/scale')]
    found = {path: np.ones(wanted[path], np.float32) for path in scales}
  for theirs, value in tensors.items():
    names = (name_of(theirs, getattr(value, 'ndim', 0)) for name_of in namings)
    for ours in (ours for ours in names if ours in wanted):
      try:
        found[ours] = _ours(ours, value, wanted[ours])
      except UserError as error:
        raise UserError(f'{told}: tensor {theirs} {error}') from error
  _refuse_missing(name, [path for path in wanted if path not in found], told)
  return found


def _refuse_missing(name: str, missing: Sequence[str], told: str) -> None:
  """Raises UserError where files lack some of a network's parameters."""
  if missing:
    raise UserError(
      f'{told} lacks {missing[0]}'
      + f' and {len(missing) - 1} others' * (len(missing) > 1)
      + f' of {name}, which is published as {published.names_of(name)}'
    )


def _namings(
  name: str, wanted: Mapping[str, tuple[int, ...]]
) -> tuple[naming.Naming, ...]:
  """How the tensors of a network may be named."""
  if name == 'lpips':
    return (naming.of_lpips,)
  layers = [
    path.removesuffix('/mean') for path in wanted if path.endswith('/mean')
  ]
  return naming.of_state_dict, naming.of_graph(layers)


def _ours(path: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
  """A tensor in our layout.

  Args:
    path: of the parameter.
    value: NumPy's or PyTorch's, in PyTorch's layout.
    shape: of the parameter.

  Raises:
    UserError: it has another shape, or its values can't be; the message goes on
      after the tensor's name.
  """
  if not isinstance(value, np.ndarray):
    value = torch_file.to_numpy(value)
  kernel = len(shape) == 4
  if path.startswith('lin'):
    theirs: tuple[int, ...] = (1, *shape, 1, 1)
  elif kernel:
    theirs = (shape[3], shape[2], shape[0], shape[1])
  else:
    theirs = shape[::-1]
  if value.shape != theirs:
    raise UserError(f'has shape {value.shape}, not {theirs}')
  if path.endswith('/var') and (value < 0).any():
    raise UserError('has variances below 0')
  value = value.transpose(2, 3, 1, 0) if kernel else value.T.reshape(shape)
  return np.array(value, np.float32, order='C')
