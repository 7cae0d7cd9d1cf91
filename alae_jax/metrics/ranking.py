"""The best, the median and the worst reconstructions, in one picture."""

import numpy as np

from alae_jax.data.dataset import Dataset
from alae_jax.inference import pictures
from alae_jax.inference.model import Model
from alae_jax.inference.sheets import Sheet
from alae_jax.metrics import sampling
from alae_jax.metrics.base import Result
from alae_jax.ops.pixels import to_uint8

_EACH = 4  # pairs in a row


def ranked(values: np.ndarray, each: int = _EACH) -> dict[str, np.ndarray]:
  """Places of the best, the median and the worst values, best first.

  Args:
    values: the smallest is the best, [N].
    each: how many of them; fewer where there are not three times as many.
  """
  order = np.argsort(values, kind='stable')
  each = max(1, min(each, len(order) // 3))
  middle = (len(order) - each) // 2
  return {
    'best': order[:each],
    'median': order[middle : middle + each],
    'worst': order[len(order) - each :],
  }


def picture(
  model: Model, images: Dataset, result: Result, seed: int
) -> np.ndarray:
  """Originals with reconstructions to their right, row by row.

  Args:
    model: that reconstructs.
    images: that the result is of.
    result: with values.
    seed: of the noise, as in the settings.

  Returns:
    uint8 [H, W, C].
  """
  assert result.values is not None and result.indices is not None
  rows = ranked(result.values)
  places = np.concatenate(list(rows.values()))
  indices = result.indices[places]
  originals = images.batch(indices)['image']
  keys = sampling.keys_of(seed, indices)
  results = to_uint8(model.decode(model.encode(originals), keys))
  sheet = Sheet(
    2 * len(rows['best']),
    together=2,
    rows=[[name, result.values_are] for name in rows],
    captions=[f'{value:.4g}' for value in result.values[places]],
  )
  return sheet.draw(pictures.beside(originals, results))
