"""Checkpoint files of the authors' PyTorch release.

Such a file is {'models': {<network>: state dict}, 'auxiliary': ...}, with every
network twice: as it was trained, and as a moving average under its name and
`_s`.
"""

import dataclasses
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from alae_jax.errors import UserError
from alae_jax.formats import release, torch_file
from alae_jax.models.networks import Params

NETWORKS = ('discriminator', 'generator', 'mapping_tl', 'mapping_fl')
_MEAN_W = 'dlatent_avg'
_SUFFIXES = {'live': '', 'ema': '_s'}


@dataclasses.dataclass(frozen=True)
class ReleaseCheckpoint:
  """What a file holds, in our layout.

  Attributes:
    params: the networks as trained; the moving average if there are none.
    ema: their moving average; the networks as trained if there is none.
    mean_w: [2 * levels, w_dim].
    model: the `model` fields of a config.
    holds: which of 'live' and 'ema' were in the file.
  """

  params: Params
  ema: Params
  mean_w: np.ndarray
  model: dict[str, Any]
  holds: tuple[str, ...]


def read_release_checkpoint(path: str) -> ReleaseCheckpoint:
  """Reads a file of the release; see `torch_file.read` for what is safe.

  Raises:
    UserError: it is not such a file, a network is incomplete, or a tensor is
      missing, unknown or misshapen; always names the file.
  """
  networks = _networks(path, torch_file.read(path))
  kinds = {
    kind: _read_kind(path, networks, kind)
    for kind, suffix in _SUFFIXES.items()
    if any(name + suffix in networks for name in NETWORKS)
  }
  if not kinds:
    raise UserError(
      f'{path} holds no network of the ALAE release (there: {_some(networks)})'
    )
  models, trees, means = zip(*kinds.values(), strict=True)
  if models[0] != models[-1]:
    raise UserError(f'{path}: the live and the EMA networks differ in size')
  return ReleaseCheckpoint(
    trees[0], trees[-1], means[0], models[0], tuple(kinds)
  )


def write_release_checkpoint(
  path: str,
  params: Params,
  ema: Params,
  mean_w: np.ndarray,
  model: Mapping[str, Any],
  dtype: Any = np.float64,
) -> None:
  """Writes a file that the release loads, see `encode_release_checkpoint`.

  Raises:
    UserError: PyTorch is missing, or the file exists.
  """
  torch_file.write(path, _content(params, ema, mean_w, model, dtype))


def encode_release_checkpoint(
  params: Params, ema: Params, mean_w: np.ndarray, model: Mapping[str, Any]
) -> bytes:
  """A file that the release loads.

  In float64, which PyTorch rounds to a module's own type, reading the file
  again gives back the very bits; see `release.to_release`.

  Args:
    params: of all networks, as trained.
    ema: their moving average.
    mean_w: [2 * levels, w_dim], or [w_dim] for every layer.
    model: the `model` fields of a config, see `release.infer_architecture`.

  Raises:
    UserError: PyTorch is missing.
  """
  return torch_file.encode(_content(params, ema, mean_w, model, np.float64))


def _content(
  params: Params,
  ema: Params,
  mean_w: np.ndarray,
  model: Mapping[str, Any],
  dtype: Any,
) -> dict[str, Any]:
  """The release's dict of state dicts, of tensors of a type."""
  torch = torch_file.import_torch()
  models: dict[str, OrderedDict] = {}
  for kind, suffix in _SUFFIXES.items():
    tensors = release.to_release(
      params if kind == 'live' else ema, mean_w, model, dtype
    )
    for name, value in tensors.items():
      network, tensor = name.split('/')
      section = network if network == _MEAN_W else network + suffix
      models.setdefault(section, OrderedDict())[tensor] = torch.from_numpy(
        np.array(value)
      )
  return {'models': models, 'auxiliary': {}}


def _networks(path: str, content: Any) -> dict[str, Any]:
  """The state dicts by name."""
  networks = content.get('models') if isinstance(content, dict) else None
  if not isinstance(networks, dict):
    found = (
      f'there: {_some(content)}'
      if isinstance(content, dict)
      else f'it is a {type(content).__name__}'
    )
    raise UserError(
      f'{path} is not a checkpoint of the ALAE release: it has '
      f"no 'models' ({found})"
    )
  return networks


def _read_kind(
  path: str, networks: Mapping[str, Any], kind: str
) -> tuple[dict[str, Any], Params, np.ndarray]:
  """Architecture, parameters and mean_w of the live or the EMA networks."""
  suffix = _SUFFIXES[kind]
  tensors: release.Tensors = {}
  try:
    for name in NETWORKS:
      tensors |= _tensors(networks, name + suffix, name)
    tensors |= _tensors(networks, _MEAN_W, _MEAN_W)
    _refuse_variants(tensors)
    model = release.infer_architecture(tensors)
    params, mean_w = release.from_release(tensors)
  except UserError as error:
    raise UserError(f'{path} ({kind} networks): {error}') from error
  return model, params, mean_w


def _tensors(
  networks: Mapping[str, Any], section: str, network: str
) -> release.Tensors:
  """A state dict's tensors as `<network>/<tensor>`."""
  state = networks.get(section)
  if not isinstance(state, dict) or not state:
    raise UserError(f'network {section} is missing')
  tensors = {}
  for key, value in state.items():
    # DistributedDataParallel puts this before every name.
    name = str(key).removeprefix('module.')
    try:
      tensors[f'{network}/{name}'] = torch_file.to_numpy(value)
    except UserError as error:
      raise UserError(f'tensor {section}/{name} {error}') from error
  return tensors


def _refuse_variants(tensors: Mapping[str, np.ndarray]) -> None:
  """Names the ablations of the encoder, which differ in their last block."""
  for name in tensors:
    if re.match(r'discriminator/.*\b(dense|fc\d*)\.', name):
      raise UserError(
        f'tensor {name} belongs to an ablation whose encoder '
        'ends in a dense layer, which alae_jax does not have'
      )


def _some(names: Mapping[Any, Any]) -> str:
  """The first few names, for a message."""
  shown = [str(name) for name in list(names)[:4]]
  return ', '.join(shown + ['...'] * (len(names) > 4)) or 'nothing'
