"""Tiny checkpoints in the layout of the authors' release."""

import jax
import ml_collections
import numpy as np

from alae_jax.formats.release_file import write_release_checkpoint
from alae_jax.models.networks import build_networks
from tests.support import release_cases

# 8x8 and grey, as scikit-learn's digits.
MODEL = {
  'kind': 'style',
  'levels': 2,
  'base_channels': 4,
  'max_channels': 8,
  'channels': 1,
  'z_dim': 5,
  'w_dim': 6,
  'mapping_layers': 2,
  'discriminator_layers': 3,
}
FORMATS = ('zip', 'legacy')


def draw(seed):
  """(params, ema, mean_w) of a model without meaning."""
  networks = build_networks(
    ml_collections.ConfigDict({'model': MODEL, 'train': release_cases.TRAIN})
  )
  shapes = jax.eval_shape(networks.init, jax.random.key(0))
  normal = np.random.default_rng(seed).normal
  params = jax.tree.map(
    lambda leaf: normal(size=leaf.shape).astype(np.float32), shapes
  )
  ema = jax.tree.map(lambda leaf: leaf * np.float32(0.7), params)
  return params, ema, normal(size=(4, 6)).astype(np.float32)


def save(content, path, file_format):
  """torch.save in the format of 1.6 and later, or in the one before it."""
  import torch

  torch.save(content, path, _use_new_zipfile_serialization=file_format == 'zip')
  return str(path)


def write(folder, file_format='zip', change=None, seed=0):
  """A checkpoint file; `change` edits its content before it is saved."""
  import torch

  path = folder / f'{file_format}_{seed}.pth'
  write_release_checkpoint(str(path), *draw(seed), MODEL)
  content = torch.load(path, weights_only=True)
  if change:
    change(content)
  return save(content, path, file_format)
