"""LPIPS against the package of its authors: their code, their linear heads.

VGG16's published weights are a large download; seeded ones do as well here.
"""

import sys
import types
import warnings

import numpy as np
import pytest

from alae_jax.metrics import perceptual
from alae_jax.metrics.features import random_params
from alae_jax.metrics.networks import vgg

torch = pytest.importorskip('torch')


def vgg16_layers(**_):
  """In place of torchvision's: the layers that its VGG16 lists as features."""
  layers, channels = [], 3
  for block in ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3):
    for width in block:
      layers += [torch.nn.Conv2d(channels, width, 3, padding=1)]
      layers += [torch.nn.ReLU(inplace=True)]
      channels = width
    layers.append(torch.nn.MaxPool2d(2, 2))
  return types.SimpleNamespace(features=torch.nn.Sequential(*layers))


@pytest.fixture(scope='module')
def package():
  """The package, for which torchvision need not be installed."""
  torchvision = types.ModuleType('torchvision')
  torchvision.models = types.SimpleNamespace(vgg16=vgg16_layers)
  with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    warnings.simplefilter('ignore')
    patch.setitem(sys.modules, 'torchvision', torchvision)
    lpips = pytest.importorskip('lpips')
    yield lpips.LPIPS(net='vgg', verbose=False).eval()


@pytest.fixture(scope='module')
def params(package):
  """Seeded weights, given to both; the package's heads."""
  shape = (1, 32, 32, 3)
  params = random_params(vgg.Lpips(), shape, shape)
  rng = np.random.default_rng(1)
  with torch.no_grad():
    for i in range(5):
      for name, layer in getattr(package.net, f'slice{i + 1}').named_children():
        if isinstance(layer, torch.nn.Conv2d):
          of = params['vgg'][f'features_{name}']
          of['bias'] = rng.normal(0, 0.1, of['bias'].shape).astype('f4')
          kernel = of['kernel'].transpose(3, 2, 0, 1)
          layer.weight.copy_(torch.from_numpy(kernel.copy()))
          layer.bias.copy_(torch.from_numpy(of['bias']))
      head = getattr(package, f'lin{i}').model[-1].weight
      params[f'lin{i}'] = head.numpy()[0, :, 0, 0].copy()
  return params


def pairs(number, side):
  """Images in [-1, 1], the first nearly alike, the last nothing alike."""
  rng = np.random.default_rng(0)
  one = rng.uniform(-1, 1, (number, side, side, 3))
  other = rng.uniform(-1, 1, one.shape)
  share = np.linspace(1e-3, 1, number)[:, None, None, None]
  return tuple(x.astype('f4') for x in (one, one * (1 - share) + other * share))


@pytest.mark.parametrize(('number', 'side'), [(20, 64), (2, 33), (1, 16)])
def test_distances_are_the_packages(package, params, number, side):
  one, other = pairs(number, side)
  with torch.no_grad():
    expected = package(
      *(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()) for x in (one, other))
    )
  found = np.asarray(perceptual.distance(params, one, other))
  expected = expected.numpy().reshape(-1)
  assert (np.diff(expected) > 0).all() or number < 20
  np.testing.assert_allclose(found, expected, rtol=1e-4)
  print(f'worst relative error {np.abs(found / expected - 1).max():.2e}')
