"""The pictures that a run leaves."""

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath

from alae_jax.inference.model import Model
from alae_jax.models.networks import build_networks
from alae_jax.ops.pixels import to_uint8
from alae_jax.runs.folder import RunFolder
from alae_jax.training.snapshots import Snapshots
from tests.support.runs import make_tiny_config
from tests.support.verbs import pixels


class Noise:
  """Eleven images that a grid shows in rows of an odd number."""

  resolution = 200

  def __len__(self):
    return 11

  def __getitem__(self, i):
    rng = np.random.default_rng(i)
    return {'image': rng.integers(0, 256, (200, 200, 1), np.uint8)}


def test_pairs_stay_together_and_apart_from_others(tmp_path):
  config = make_tiny_config()
  config.model.resolution = 200
  networks = build_networks(config)
  model = Model(
    config, networks, networks.init(jax.random.key(0)), jnp.zeros((1, 6))
  )
  folder = RunFolder(epath.Path(tmp_path))
  folder.pictures.mkdir()
  snapshots = Snapshots(folder, Noise(), 0)
  assert snapshots.columns == 5
  drawn = snapshots.write(model, 32)['reconstructions']
  gap = 25  # an eighth of a side
  assert drawn.shape == (3 * 202 + 2, 4 * 202 + 2 + gap, 1)
  original = Noise()[4]['image']  # the fifth of those eleven, in the third row
  np.testing.assert_array_equal(drawn[406:606, 2:202], original)
  np.testing.assert_allclose(
    drawn[406:606, 204:404].astype(int),
    to_uint8(model.reconstruct(original[None], jax.random.key(0)))[0],
    atol=1,
  )
  np.testing.assert_array_equal(
    drawn[..., 0],
    pixels(tmp_path / 'pictures' / 'reconstructions_000000032.png'),
  )
