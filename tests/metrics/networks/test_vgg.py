"""VGG16 and LPIPS against PyTorch's own layers, with seeded random weights."""

import jax
import numpy as np
import pytest

from alae_jax.metrics.networks import vgg

torch = pytest.importorskip('torch')
F = torch.nn.functional

# torchvision's configuration D: channels of convolutions, M for a max pool.
PLAN = [64, 64, 'M', 128, 128, 'M', *[256] * 3, 'M', *[512] * 3, 'M',
        *[512] * 3, 'M']  # fmt: skip
TAPS = (3, 8, 15, 22, 29)  # after the ReLU of the last convolution of a block


def reference_taps(weights, x):
  taps, number = [], 0
  for step in PLAN[:-1]:
    if step == 'M':
      x = F.max_pool2d(x, 2)
      number += 1
      continue
    of = weights[f'features_{number}']
    kernel = torch.from_numpy(of['kernel']).permute(3, 2, 0, 1)
    x = F.relu(F.conv2d(x, kernel, torch.from_numpy(of['bias']), padding=1))
    if number + 1 in TAPS:
      taps.append(x)
    number += 2
  return taps


def reference_lpips(params, one, other):
  shift = torch.tensor([-0.030, -0.088, -0.188])[None, :, None, None]
  scale = torch.tensor([0.458, 0.448, 0.450])[None, :, None, None]
  taps = [
    reference_taps(params['vgg'], (x - shift) / scale) for x in (one, other)
  ]
  total = 0
  for i, (a, b) in enumerate(zip(*taps, strict=True)):
    a, b = (x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for x in (a, b))
    head = torch.from_numpy(params[f'lin{i}'])[None, :, None, None]
    total = total + F.conv2d((a - b) ** 2, head).mean((2, 3))[:, 0]
  return total


@pytest.fixture(scope='module')
def params():
  sides = np.zeros((1, 32, 32, 3))
  shapes = jax.eval_shape(vgg.Lpips().init, jax.random.key(0), sides, sides)
  rng = np.random.default_rng(0)

  def draw(path, shape):
    if path[-1].key == 'kernel':
      fan_in = np.prod(shape.shape[:-1])
      return (rng.normal(size=shape.shape) * np.sqrt(2 / fan_in)).astype('f4')
    return rng.uniform(0, 0.2, shape.shape).astype('f4')

  return jax.tree_util.tree_map_with_path(draw, shapes['params'])


@pytest.fixture(scope='module')
def pairs():
  rng = np.random.default_rng(1)
  one = rng.uniform(-1, 1, (20, 48, 32, 3)).astype(np.float32)
  steps = np.linspace(0, 1, 20)[:, None, None, None]
  other = np.clip(one + steps * rng.normal(size=one.shape), -1, 1)
  return one, other.astype(np.float32)


def as_torch(images):
  return torch.from_numpy(images).permute(0, 3, 1, 2)


def test_every_block_agrees(params, pairs):
  ours = jax.jit(vgg.Vgg16().apply)({'params': params['vgg']}, pairs[0][:4])
  theirs = reference_taps(params['vgg'], as_torch(pairs[0][:4]))
  assert [x.shape[-1] for x in ours] == list(vgg.CHANNELS)
  for mine, wanted in zip(ours, theirs, strict=True):
    wanted = wanted.permute(0, 2, 3, 1).numpy()
    assert np.abs(np.asarray(mine) - wanted).max() < 1e-4 * wanted.std()


def test_distances_agree_on_twenty_pairs(params, pairs):
  ours = jax.jit(vgg.Lpips().apply)({'params': params}, *pairs)
  theirs = reference_lpips(params, *map(as_torch, pairs)).numpy()
  np.testing.assert_allclose(ours, theirs, 1e-4, 1e-7)
  assert abs(float(ours[0])) < 1e-6  # the first pair is of equal images
  assert np.corrcoef(ours, np.arange(20))[0, 1] > 0.9
