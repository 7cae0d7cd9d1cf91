"""Pictures of a run at fixed latents and fixed real images."""

import jax
import numpy as np

from alae_jax.data.dataset import Dataset
from alae_jax.inference import pictures
from alae_jax.inference.model import Model
from alae_jax.ops.pixels import to_uint8
from alae_jax.runs.folder import RunFolder

_PIXELS = 2**20  # of a grid of samples, about


class Snapshots:
  """Writes reals.png, and samples and reconstructions named by images seen.

  Attributes:
    columns: of a grid; it has as many rows.
  """

  def __init__(self, folder: RunFolder, dataset: Dataset, seed: int):
    """Chooses latents and images, the same ones whenever it is made.

    Args:
      folder: of the run.
      dataset: images to reconstruct, not trained on.
      seed: of the latents.
    """
    self._folder = folder
    self.columns = int(np.clip(_PIXELS**0.5 // dataset.resolution, 4, 8))
    indices = np.linspace(
      0, len(dataset) - 1, min(len(dataset), self.columns**2), dtype=int
    )
    self._reals = np.stack([dataset[int(i)]['image'] for i in indices])
    self._key = jax.random.key(seed)

  def write(self, model: Model, images_seen: int) -> dict[str, np.ndarray]:
    """Samples, and reconstructions to the right of their originals.

    Returns:
      The pictures by name, uint8 [H, W, C].
    """
    pictures.write_grid(
      self._folder.pictures / 'reals.png', self._reals, self.columns
    )
    samples = to_uint8(model.generate(self._key, self.columns**2))
    half = self._reals[: max(1, len(self._reals) // 2)]
    results = to_uint8(model.reconstruct(half, self._key))
    drawn = {
      'samples': pictures.grid(pictures.enlarge(samples), self.columns),
      'reconstructions': pictures.grid(
        pictures.enlarge(pictures.beside(half, results)),
        self.columns // 2 * 2,  # no pair is torn apart
        together=2,
      ),
    }
    for name, picture in drawn.items():
      path = self._folder.pictures / f'{name}_{images_seen:09d}.png'
      pictures.write_png(path, picture)
    return drawn
