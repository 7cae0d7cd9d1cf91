"""What the tensors of published files are in our networks.

Ours are named by their paths in the tree of parameters, such as
Mixed_5b/branch1x1/kernel; theirs by the dotted names of PyTorch.
"""

import re
from collections.abc import Callable, Collection

# By the name of a tensor and its number of axes.
Naming = Callable[[str, int], str | None]

_LEAVES = {
  'conv.weight': 'kernel',
  'bn.weight': 'scale',
  'bn.bias': 'bias',
  'bn.running_mean': 'mean',
  'bn.running_var': 'var',
}
_DENSE = {'weight': 'fc/kernel', 'bias': 'fc/bias'}

# The layers before the blocks, and the blocks, as TensorFlow's graph has them.
_STEM = ('1a_3x3', '2a_3x3', '2b_3x3', '3b_1x1', '4a_3x3')
_BLOCKS = ('5b', '5c', '5d', '6a', '6b', '6c', '6d', '6e', '7a', '7b', '7c')
_SECOND_TOWERS = ('branch3x3dbl', 'branch7x7dbl', 'branch7x7x3')


def of_state_dict(name: str, axes: int) -> str | None:
  """Of Inception's tensors as torchvision names them, as pytorch-fid does.

  Args:
    name: such as Mixed_5b.branch1x1.bn.running_mean.
    axes: of the tensor.

  Returns:
    Mixed_5b/branch1x1/mean, or None for what is no layer's.
  """
  name = name.removeprefix('module.')
  if name.startswith('fc.'):
    return _DENSE.get(name.removeprefix('fc.'))
  for leaf, ours in _LEAVES.items():
    if name.endswith(f'.{leaf}'):
      return f'{name.removesuffix(f".{leaf}").replace(".", "/")}/{ours}'
  return None


def of_graph(layers: Collection[str]) -> Naming:
  """Of Inception's tensors as NVIDIA names them, after TensorFlow's graph.

  Args:
    layers: ours, such as Mixed_5b/branch1x1.

  Returns:
    (layers.mixed.conv.mean, 1) -> Mixed_5b/branch1x1/mean. Whether names are
    parted by dots or by underscores makes no difference, nor whether a layer's
    tensors lie in a convolution and a batch norm of their own.
  """
  ours = {_in_graph(layer): layer for layer in layers}

  def name_of(name: str, axes: int) -> str | None:
    head, _, leaf = name.rpartition('.')
    if head == 'output':
      return _DENSE.get(leaf)
    layer = head.replace('.', '_').removeprefix('layers_')
    if layer not in ours:
      layer = re.sub('_(conv|bn)$', '', layer)
    kind = _kind(leaf, axes)
    return f'{ours[layer]}/{kind}' if layer in ours and kind else None

  return name_of


def of_lpips(name: str, axes: int) -> str | None:
  """Of VGG16's tensors and LPIPS' weights of its channels.

  Args:
    name: such as features.0.weight as torchvision has it, net.slice1.0.weight
      or lin0.model.1.weight as LPIPS does.
    axes: of the tensor.

  Returns:
    vgg/features_0/kernel, lin0, or None for what is neither's.
  """
  match = re.search(
    r'(?:^|\.)(?:features|slice[1-5])\.(\d+)\.(weight|bias)$', name
  )
  if match:
    kind = {'weight': 'kernel', 'bias': 'bias'}[match[2]]
    return f'vgg/features_{match[1]}/{kind}'
  match = re.search(r'(?:^|\.)(lin[0-4])\.model\.\d+\.weight$', name)
  return match[1] if match else None


def _kind(leaf: str, axes: int) -> str | None:
  """Which of a layer's tensors one is, by the last word of its name."""
  if axes == 4:
    return 'kernel'
  for words, kind in (
    ('mean', 'mean'),
    ('var', 'var'),
    ('beta|bias', 'bias'),
    ('gamma|scale|weight', 'scale'),
  ):
    if re.search(words, leaf):
      return kind
  return None


def _in_graph(layer: str) -> str:
  """Mixed_5b/branch5x5_2 -> mixed_tower_conv_1, TensorFlow's name."""
  block, _, branch = layer.partition('/')
  if not branch:
    return _numbered('conv', _STEM.index(block.removeprefix('Conv2d_')))
  number = _BLOCKS.index(block.removeprefix('Mixed_'))
  return f'{_numbered("mixed", number)}_{_in_block(block, branch)}'


def _in_block(block: str, branch: str) -> str:
  """branch5x5_2 -> tower_conv_1."""
  if branch in ('branch1x1', 'branch3x3'):
    return 'conv'
  if branch == 'branch_pool':
    return 'tower_2_conv'
  name, place = branch.rsplit('_', 1)
  second = name in _SECOND_TOWERS and block != 'Mixed_6a'
  tower = 'tower_1' if second else 'tower'
  if place[1:]:  # two side by side, a and b
    return f'{tower}_{_numbered("mixed_conv", "ab".index(place[1]))}'
  return f'{tower}_{_numbered("conv", int(place) - 1)}'


def _numbered(name: str, number: int) -> str:
  """TensorFlow numbers the second of a name with 1."""
  return f'{name}_{number}' if number else name
