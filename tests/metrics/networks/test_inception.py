"""Inception against PyTorch's own layers, with seeded random weights.

The independent implementation is written here, of conv2d, batch_norm and
pools alone, and shares no code with ours but the names of the layers.
"""

import jax
import numpy as np
import pytest

from alae_jax.metrics.networks import inception

torch = pytest.importorskip('torch')
F = torch.nn.functional


class Reference:
  """The network by its weights, {'Mixed_5b.branch1x1': {…}}, in PyTorch."""

  def __init__(self, weights):
    self.weights = weights

  def conv(self, x, name, stride=1, padding=0):
    of = self.weights[name]
    x = F.conv2d(x, of['weight'], stride=stride, padding=padding)
    x = F.batch_norm(
      x, of['mean'], of['var'], of['scale'], of['bias'], eps=1e-3
    )
    return F.relu(x)

  def a(self, x, name):
    c = lambda x, branch, **k: self.conv(x, f'{name}.{branch}', **k)  # noqa: E731
    three = c(c(x, 'branch3x3dbl_1'), 'branch3x3dbl_2', padding=1)
    return torch.cat([
      c(x, 'branch1x1'),
      c(c(x, 'branch5x5_1'), 'branch5x5_2', padding=2),
      c(three, 'branch3x3dbl_3', padding=1),
      c(self.mean(x), 'branch_pool'),
    ], 1)  # fmt: skip

  def b(self, x, name):
    three = self.conv(x, f'{name}.branch3x3dbl_1')
    three = self.conv(three, f'{name}.branch3x3dbl_2', padding=1)
    return torch.cat([
      self.conv(x, f'{name}.branch3x3', stride=2),
      self.conv(three, f'{name}.branch3x3dbl_3', stride=2),
      F.max_pool2d(x, 3, 2),
    ], 1)  # fmt: skip

  def c(self, x, name):
    seven = self.conv(x, f'{name}.branch7x7_1')
    seven = self.conv(seven, f'{name}.branch7x7_2', padding=(0, 3))
    seven = self.conv(seven, f'{name}.branch7x7_3', padding=(3, 0))
    double = self.conv(x, f'{name}.branch7x7dbl_1')
    for i, padding in ((2, (3, 0)), (3, (0, 3)), (4, (3, 0)), (5, (0, 3))):
      double = self.conv(double, f'{name}.branch7x7dbl_{i}', padding=padding)
    return torch.cat([
      self.conv(x, f'{name}.branch1x1'), seven, double,
      self.conv(self.mean(x), f'{name}.branch_pool'),
    ], 1)  # fmt: skip

  def d(self, x, name):
    three = self.conv(x, f'{name}.branch3x3_1')
    seven = self.conv(x, f'{name}.branch7x7x3_1')
    seven = self.conv(seven, f'{name}.branch7x7x3_2', padding=(0, 3))
    seven = self.conv(seven, f'{name}.branch7x7x3_3', padding=(3, 0))
    return torch.cat([
      self.conv(three, f'{name}.branch3x3_2', stride=2),
      self.conv(seven, f'{name}.branch7x7x3_4', stride=2),
      F.max_pool2d(x, 3, 2),
    ], 1)  # fmt: skip

  def e(self, x, name):
    three = self.conv(x, f'{name}.branch3x3_1')
    double = self.conv(x, f'{name}.branch3x3dbl_1')
    double = self.conv(double, f'{name}.branch3x3dbl_2', padding=1)
    last = name == 'Mixed_7c'
    pool = F.max_pool2d(x, 3, 1, 1) if last else self.mean(x)
    return torch.cat([
      self.conv(x, f'{name}.branch1x1'),
      self.conv(three, f'{name}.branch3x3_2a', padding=(0, 1)),
      self.conv(three, f'{name}.branch3x3_2b', padding=(1, 0)),
      self.conv(double, f'{name}.branch3x3dbl_3a', padding=(0, 1)),
      self.conv(double, f'{name}.branch3x3dbl_3b', padding=(1, 0)),
      self.conv(pool, f'{name}.branch_pool'),
    ], 1)  # fmt: skip

  @staticmethod
  def mean(x):
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

  def __call__(self, x):
    taps = {}
    x = self.conv(x, 'Conv2d_1a_3x3', stride=2)
    x = self.conv(x, 'Conv2d_2a_3x3')
    x = self.conv(x, 'Conv2d_2b_3x3', padding=1)
    x = taps['stem'] = F.max_pool2d(x, 3, 2)
    x = self.conv(x, 'Conv2d_3b_1x1')
    x = self.conv(x, 'Conv2d_4a_3x3')
    x = taps['stem2'] = F.max_pool2d(x, 3, 2)
    for blocks, make in (
      (('5b', '5c', '5d'), self.a), (('6a',), self.b),
      (('6b', '6c', '6d', '6e'), self.c), (('7a',), self.d),
      (('7b', '7c'), self.e),
    ):  # fmt: skip
      for block in blocks:
        x = taps[block] = make(x, f'Mixed_{block}')
    x = taps['pool'] = x.mean((2, 3))
    taps['logits'] = (
      x @ self.weights['fc']['kernel'] + self.weights['fc']['bias']
    )
    return taps


def random_params(seed):
  """Weights under which signals neither vanish nor grow."""
  shapes = jax.eval_shape(
    inception.Inception().init, jax.random.key(0), np.zeros((1, 299, 299, 3))
  )['params']
  rng = np.random.default_rng(seed)

  def draw(path, shape):
    name = path[-1].key
    if name == 'kernel':
      fan_in = np.prod(shape.shape[:-1])
      return (rng.normal(size=shape.shape) * np.sqrt(2 / fan_in)).astype('f4')
    low, high = {'scale': (0.7, 1.3), 'var': (0.5, 1.5)}.get(name, (-0.3, 0.3))
    return rng.uniform(low, high, shape.shape).astype('f4')

  return jax.tree_util.tree_map_with_path(draw, shapes)


def reference_weights(params):
  """The same, by the dotted names, with PyTorch's layout of kernels."""
  found = {}

  def visit(tree, name):
    if 'kernel' in tree:
      leaves = {key: torch.from_numpy(value) for key, value in tree.items()}
      if leaves['kernel'].ndim == 4:
        leaves['weight'] = leaves['kernel'].permute(3, 2, 0, 1).contiguous()
      found[name] = leaves
      return
    for key, below in tree.items():
      visit(below, f'{name}.{key}' if name else key)

  visit(params, '')
  return found


@pytest.fixture(scope='module')
def both():
  """Every block's output, ours and the reference's, both channels last."""
  params = random_params(0)
  images = np.random.default_rng(1).uniform(-1, 1, (2, 299, 299, 3))
  images = images.astype(np.float32)
  ours = jax.jit(inception.Inception().apply)({'params': params}, images)
  with torch.no_grad():
    theirs = Reference(reference_weights(params))(
      torch.from_numpy(images).permute(0, 3, 1, 2)
    )
  return ours, {
    name: (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).numpy()
    for name, x in theirs.items()
  }


def test_every_block_agrees(both):
  ours, theirs = both
  assert set(ours) == set(theirs)
  for name, wanted in theirs.items():
    error = np.abs(np.asarray(ours[name]) - wanted).max() / wanted.std()
    assert error < 1e-4, (name, error)


def test_the_shapes_are_the_papers(both):
  ours, _ = both
  sizes = {name: x.shape[1:] for name, x in ours.items()}
  assert sizes['5d'] == (35, 35, 288)
  assert sizes['6e'] == (17, 17, 768)
  assert sizes['7c'] == (8, 8, 2048)
  assert sizes['pool'] == (inception.FEATURES,)
