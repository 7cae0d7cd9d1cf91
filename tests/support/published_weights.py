"""Files as the weights of feature networks are published, of seeded numbers."""

import hashlib
import re
import warnings

import jax
import numpy as np
from flax import traverse_util

from alae_jax.metrics.networks import conversion

# What TensorFlow's graph calls the layers of each block of Inception, in a
# folder for each tower, but for the last blocks, where there is none.
_TOWERS_A = {
  'branch1x1': 'conv',
  'branch5x5_1': 'tower.conv',
  'branch5x5_2': 'tower.conv_1',
  'branch3x3dbl_1': 'tower_1.conv',
  'branch3x3dbl_2': 'tower_1.conv_1',
  'branch3x3dbl_3': 'tower_1.conv_2',
  'branch_pool': 'tower_2.conv',
}
_TOWERS_B = {
  'branch3x3': 'conv',
  'branch3x3dbl_1': 'tower.conv',
  'branch3x3dbl_2': 'tower.conv_1',
  'branch3x3dbl_3': 'tower.conv_2',
}
_TOWERS_C = {
  'branch1x1': 'conv',
  'branch7x7_1': 'tower.conv',
  'branch7x7_2': 'tower.conv_1',
  'branch7x7_3': 'tower.conv_2',
  'branch7x7dbl_1': 'tower_1.conv',
  'branch7x7dbl_2': 'tower_1.conv_1',
  'branch7x7dbl_3': 'tower_1.conv_2',
  'branch7x7dbl_4': 'tower_1.conv_3',
  'branch7x7dbl_5': 'tower_1.conv_4',
  'branch_pool': 'tower_2.conv',
}
_TOWERS_D = {
  'branch3x3_1': 'tower.conv',
  'branch3x3_2': 'tower.conv_1',
  'branch7x7x3_1': 'tower_1.conv',
  'branch7x7x3_2': 'tower_1.conv_1',
  'branch7x7x3_3': 'tower_1.conv_2',
  'branch7x7x3_4': 'tower_1.conv_3',
}
_TOWERS_E = {
  'branch1x1': 'conv',
  'branch3x3_1': 'tower_conv',
  'branch3x3_2a': 'tower_mixed_conv',
  'branch3x3_2b': 'tower_mixed_conv_1',
  'branch3x3dbl_1': 'tower_1_conv',
  'branch3x3dbl_2': 'tower_1_conv_1',
  'branch3x3dbl_3a': 'tower_1_mixed_conv',
  'branch3x3dbl_3b': 'tower_1_mixed_conv_1',
  'branch_pool': 'tower_2_conv',
}
_GRAPH = {
  'Mixed_5b': ('mixed', _TOWERS_A),
  'Mixed_5c': ('mixed_1', _TOWERS_A),
  'Mixed_5d': ('mixed_2', _TOWERS_A),
  'Mixed_6a': ('mixed_3', _TOWERS_B),
  'Mixed_6b': ('mixed_4', _TOWERS_C),
  'Mixed_6c': ('mixed_5', _TOWERS_C),
  'Mixed_6d': ('mixed_6', _TOWERS_C),
  'Mixed_6e': ('mixed_7', _TOWERS_C),
  'Mixed_7a': ('mixed_8', _TOWERS_D),
  'Mixed_7b': ('mixed_9', _TOWERS_E),
  'Mixed_7c': ('mixed_10', _TOWERS_E),
}
_STEM = {
  'Conv2d_1a_3x3': 'conv',
  'Conv2d_2a_3x3': 'conv_1',
  'Conv2d_2b_3x3': 'conv_2',
  'Conv2d_3b_1x1': 'conv_3',
  'Conv2d_4a_3x3': 'conv_4',
}


def write_program(module, path):
  """A module as a TorchScript archive, and the program that it became."""
  import torch

  with warnings.catch_warnings():
    # PyTorch would have programs written with torch.export; these are old.
    warnings.simplefilter('ignore', DeprecationWarning)
    program = torch.jit.script(module.eval())
    torch.jit.save(program, str(path))
  return program


def draw(name, seed=0):
  """Parameters of a network by their paths, of numbers without meaning."""
  rng = np.random.default_rng(seed)
  return {
    path: np.ones(shape, np.float32)
    if path.endswith('/scale')  # as in every published file of Inception
    else np.abs(rng.standard_normal(shape, np.float32))
    for path, shape in conversion.shapes(name).items()
  }


def assert_params(weights, wanted):
  """Parameters are the very ones, by their paths."""
  found = traverse_util.flatten_dict(weights.params, sep='/')
  assert set(found) == set(wanted)
  for path, value in found.items():
    assert value.dtype == np.float32
    np.testing.assert_array_equal(value, wanted[path], err_msg=path)
  jax.tree.map(lambda x: x.shape, weights.params)  # a tree of dicts


def state_dict(params):
  """Inception's as pytorch-fid saves it, with what is not needed beside."""
  leaves = {
    'kernel': 'conv.weight',
    'scale': 'bn.weight',
    'bias': 'bn.bias',
    'mean': 'bn.running_mean',
    'var': 'bn.running_var',
  }
  found = {}
  for path, value in params.items():
    layer, leaf = path.rsplit('/', 1)
    if layer == 'fc':
      found[f'fc.{"weight" if leaf == "kernel" else leaf}'] = _torch(value)
      continue
    layer = layer.replace('/', '.')
    found[f'{layer}.{leaves[leaf]}'] = _torch(value)
    found[f'{layer}.bn.num_batches_tracked'] = _torch(np.array(7))
  found['AuxLogits.conv0.conv.weight'] = _torch(np.zeros((1, 1, 2, 3), 'f4'))
  found['AuxLogits.fc.weight'] = _torch(np.zeros((2, 3), 'f4'))
  return found


def in_graph(params, nested=False):
  """{name in NVIDIA's file: tensor} of Inception's parameters.

  Args:
    params: by their paths; scales are left out, as they are there.
    nested: with a convolution and a batch norm in each layer, and a folder for
      every part of a name, as the file might have been.
  """
  leaves = {'kernel': 'weight', 'bias': 'beta', 'mean': 'mean', 'var': 'var'}
  within = {
    'kernel': 'conv.weight',
    'bias': 'bn.bias',
    'mean': 'bn.running_mean',
    'var': 'bn.running_var',
  }
  found = {}
  for path, value in params.items():
    layer, leaf = path.rsplit('/', 1)
    if layer == 'fc':
      found[f'output.{"weight" if leaf == "kernel" else leaf}'] = _torch(value)
    elif leaf != 'scale':
      block, _, branch = layer.partition('/')
      name = _STEM.get(block)
      if branch:
        name, towers = _GRAPH[block]
        tower = towers[branch]
        if nested:
          tower = re.sub('_(conv|mixed)', r'.\1', tower)
        name = f'{name}.{tower}'
      kind = (within if nested else leaves)[leaf]
      found[f'layers.{name}.{kind}'] = _torch(value)
  return found


def program_of(tensors):
  """A PyTorch module whose attributes these tensors are, by dotted names."""
  import torch

  class Node(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
      return x

  root = Node()
  for name, tensor in tensors.items():
    *folders, leaf = name.split('.')
    node = root
    for folder in folders:
      if folder not in node._modules:
        node.add_module(folder, Node())
      node = node._modules[folder]
    node.register_parameter(leaf, torch.nn.Parameter(tensor))
  return root


def vgg_state_dict(params, sliced=False):
  """VGG16's as torchvision saves it, or in slices as LPIPS does."""
  ends = (4, 9, 16, 23, 30)
  found = {}
  for path, value in params.items():
    match = re.fullmatch(r'vgg/features_(\d+)/(kernel|bias)', path)
    if match:
      part = 1 + sum(int(match[1]) >= end for end in ends)
      folder = f'net.slice{part}' if sliced else 'features'
      kind = {'kernel': 'weight', 'bias': 'bias'}[match[2]]
      found[f'{folder}.{match[1]}.{kind}'] = _torch(value)
  if not sliced:
    found['classifier.0.weight'] = _torch(np.zeros((5, 7), 'f4'))
    found['classifier.0.bias'] = _torch(np.zeros(5, 'f4'))
  return found


def heads_state_dict(params, prefix=''):
  """LPIPS' own weights as it saves them."""
  return {
    f'{prefix}lin{i}.model.1.weight': _torch(
      params[f'lin{i}'][None, None, :, None]
    )
    for i in range(5)
  }


def named_by_sum(path):
  """Renames {} in a file's name to the first digits of its SHA-256."""
  digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
  return path.rename(path.with_name(path.name.replace('{}', digits)))


def _torch(value):
  """In PyTorch's layout."""
  import torch

  if value.ndim == 4:
    value = value.transpose(3, 2, 0, 1)
  return torch.from_numpy(np.array(value.T if value.ndim == 2 else value))
