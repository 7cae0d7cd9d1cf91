"""Loads numbers that the authors' release computed on tiny random networks.

Two of the four cases travel with the repository, cut down to what fits; the
full ones are read from ../shared/reference where that exists.
"""

import dataclasses
import pathlib

import jax
import ml_collections
import numpy as np

from alae_jax.formats import release
from alae_jax.models.networks import Networks, Stage, build_networks

_ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = _ROOT.parent / 'shared' / 'reference'
FIXTURES = pathlib.Path(__file__).parents[1] / 'fixtures'
TRAIN = {'compute_dtype': 'float32', 'remat_resolution': 0}
FIXTURE_NAMES = ('style_blend', 'style_fused')


def names() -> list[str]:
  """The cases at hand: the full ones, or else those in the repository."""
  found = sorted(path.parent.name for path in SHARED.glob('*/golden.npz'))
  return found or list(FIXTURE_NAMES)


def fixture_tensors(name: str) -> tuple[dict, dict]:
  """(params, golden) of a case in the repository."""
  arrays = dict(np.load(FIXTURES / f'{name}.npz'))
  params = {
    k.removeprefix('params:'): v
    for k, v in arrays.items()
    if k.startswith('params:')
  }
  return params, {
    k: v for k, v in arrays.items() if not k.startswith('params:')
  }


def _tensors(name: str) -> tuple[dict, dict]:
  folder = SHARED / name
  if not folder.exists():
    return fixture_tensors(name)
  return (
    dict(np.load(folder / 'params.npz')),
    dict(np.load(folder / 'golden.npz')),
  )


@dataclasses.dataclass(frozen=True)
class Case:
  """A case and our networks with its parameters."""

  name: str
  tensors: dict
  golden: dict
  model: dict
  networks: Networks
  params: dict
  mean_w: np.ndarray
  layout: dict

  @property
  def level(self) -> int:
    return int(self.golden['lod'])

  @property
  def blend(self) -> float:
    return float(self.golden['blend'])

  @property
  def stage(self) -> Stage:
    return Stage(self.level, self.blend)

  @property
  def fused(self) -> bool:
    return 'fused' in self.name

  def images(self, key: str) -> np.ndarray:
    """NHWC."""
    return self.golden[key].transpose(0, 2, 3, 1)

  def noise(self, prefix: str) -> tuple[np.ndarray, ...]:
    return tuple(
      self.images(f'{prefix}_{i}') for i in range(2 * self.level + 2)
    )

  def theirs(self, tree: dict, name: str, gradient: bool = False) -> np.ndarray:
    """A leaf of a parameter or gradient tree as the release has it."""
    tensor = self.layout[name]
    leaf = tree
    for key in tensor.path:
      leaf = leaf[key]
    leaf = tensor.encode(np.asarray(leaf, np.float64)).reshape(tensor.shape)
    return leaf / tensor.scale if gradient else leaf * tensor.scale


def load(name: str) -> Case:
  tensors, golden = _tensors(name)
  model = release.infer_architecture(tensors)
  params, mean_w = release.from_release(tensors)
  networks = build_networks(
    ml_collections.ConfigDict({'model': model, 'train': TRAIN})
  )
  return Case(
    name,
    tensors,
    golden,
    model,
    networks,
    jax.tree.map(np.asarray, params),
    mean_w,
    release.layout(model),
  )


def relative_error(actual, expected) -> float:
  """L2 norm of the difference over that of the expected values."""
  actual, expected = np.asarray(actual), np.asarray(expected)
  assert actual.shape == expected.shape
  norm = np.linalg.norm(expected.astype(np.float64))
  return np.linalg.norm(actual.astype(np.float64) - expected) / norm
