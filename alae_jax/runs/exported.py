"""A model for others: one checkpoint's weights, and what it takes to use them.

`model.safetensors` holds float32 tensors: `mean_w` [layers, w_dim], and those
of all four networks under their path in the parameters, with dots between:
`mapping.dense_0.kernel`, `generator.block_0.layer_1.style.kernel`,
`encoder...`, `discriminator...`. `config.json` is the run's, and says in a
section `exported` which weights these are:

=============  ==========================================================
`level`        index of the resolution that the model works at
`blend`        how far that level has faded in, in [0, 1]
`images_seen`  of the checkpoint
`weights`      'ema' or 'live'
`sha256`       of `model.safetensors`
=============  ==========================================================
"""

import dataclasses
import hashlib
import os
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy
from ml_collections import ConfigDict

from alae_jax import config as config_lib
from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.models.networks import Networks, Params
from alae_jax.runs.folder import RunFolder
from alae_jax.runs.records import is_number

MEAN_W = 'mean_w'
_TYPES = {'level': int, 'images_seen': int, 'weights': str, 'sha256': str}


@dataclasses.dataclass(frozen=True)
class Facts:
  """Which weights an exported model's are.

  Attributes:
    level: index of the resolution.
    blend: how far that level has faded in.
    images_seen: of the checkpoint.
    weights: 'ema' or 'live'.
    sha256: of model.safetensors.
  """

  level: int
  blend: float
  images_seen: int
  weights: str
  sha256: str


def to_tensors(params: Params, mean_w: jax.Array) -> dict[str, np.ndarray]:
  """{'generator.block_0.conv_2.kernel': float32 ..., 'mean_w': ...}."""
  tensors = {
    _name(path): np.asarray(leaf, np.float32)
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
  }
  return {**tensors, MEAN_W: np.asarray(mean_w, np.float32)}


def to_params(tensors: dict[str, Any]) -> Params:
  """Likewise back; mean_w is left out."""
  params: Params = {}
  for name, tensor in tensors.items():
    *above, last = name.split('.')
    inner = params
    for key in above:
      inner = inner.setdefault(key, {})
    if name != MEAN_W:
      inner[last] = tensor
  return params


def encode(
  config: ConfigDict,
  tensors: dict[str, np.ndarray],
  level: int,
  blend: float,
  images_seen: int | None,
  weights: str | None,
) -> tuple[bytes, bytes]:
  """What model.safetensors and config.json hold; see the module."""
  content = safetensors.numpy.save(tensors)
  facts = {
    'level': level,
    'blend': blend,
    'images_seen': images_seen,
    'weights': weights,
    'sha256': hashlib.sha256(content).hexdigest(),
  }
  return content, config_lib.with_exported(config, facts).encode()


def read_facts(folder: RunFolder) -> Facts | None:
  """Which weights an exported folder holds; None of a run folder.

  Raises:
    UserError: its config.json is not as `encode` makes it.
  """
  facts = config_lib.exported(folder.config)
  if facts is None:
    return None
  right = (
    isinstance(facts, dict)
    and all(type(facts.get(name)) is kind for name, kind in _TYPES.items())
    and facts['level'] >= 0
    and facts['weights'] in ('ema', 'live')
    and is_number(facts.get('blend'))
    and 0 <= facts['blend'] <= 1
  )
  if not right:
    raise UserError(
      f'{folder.config}: section exported is not as it was written: export '
      'the run again'
    )
  return Facts(
    **{field.name: facts[field.name] for field in dataclasses.fields(Facts)}
  )


def read_weights(
  folder: RunFolder, facts: Facts, networks: Networks
) -> tuple[Params, np.ndarray]:
  """The parameters and mean_w of an exported folder.

  Args:
    folder: that holds them.
    facts: what its config.json says.
    networks: that its config describes.

  Raises:
    UserError: model.safetensors is missing, of another export, or its tensors
      are not those of the networks.
  """
  path = folder.tensors
  storage.require_file(path)
  content = path.read_bytes()
  if hashlib.sha256(content).hexdigest() != facts.sha256:
    remedy = 'export or fetch both again'
    if folder.address:  # the file is a link, and what it leads to would stay
      remedy = f'remove {os.path.realpath(path)}, and it is fetched again'
    raise UserError(
      f'{path} is damaged, or of another export than config.json beside it: '
      f'{remedy}'
    )
  try:
    tensors = safetensors.numpy.load(content)
  except safetensors.SafetensorError as error:
    raise UserError(f'{path} is no safetensors file: {error}') from error
  _compare(path, tensors, networks)
  return to_params(tensors), tensors[MEAN_W]


def _compare(path, tensors: dict[str, np.ndarray], networks: Networks) -> None:
  """Refuses tensors of other networks, by the first that differs."""
  shapes = jax.eval_shape(networks.init, jax.random.key(0))
  wanted = {
    _name(keys): leaf.shape
    for keys, leaf in jax.tree_util.tree_leaves_with_path(shapes)
  } | {MEAN_W: (networks.layers, networks.w_dim)}
  for name in sorted(wanted.keys() | tensors.keys()):
    there = tensors[name].shape if name in tensors else None
    if there != wanted.get(name):
      raise UserError(
        f'{path}: {name} is {_shown(there)} there and '
        f'{_shown(wanted.get(name))} by config.json'
      )


def _shown(shape: tuple[int, ...] | None) -> str:
  return 'missing' if shape is None else str(list(shape))


def _name(path: tuple) -> str:
  return jax.tree_util.keystr(path, simple=True, separator='.')
