"""Edits in w: between points, layers of one in another, along a direction."""

import itertools

import jax.numpy as jnp
import numpy as np

from alae_jax import storage
from alae_jax.errors import UserError, reason
from alae_jax.inference.model import Model
from alae_jax.models import styles as styles_lib

# Of a direction's numbers: G's sums of squares of moved points stay finite.
_LARGEST = 1e6


def path_through(styles: np.ndarray, steps: int) -> np.ndarray:
  """Straight lines in w from each point to the next.

  Args:
    styles: [N, layers, w_dim].
    steps: points on each line, both ends among them.

  Returns:
    [(N - 1) * steps, layers, w_dim].
  """
  t = np.linspace(0, 1, steps, dtype=np.float32)[:, None, None]
  return np.concatenate(
    [(1 - t) * start + t * end for start, end in itertools.pairwise(styles)]
  )


def check_mixable(model: Model) -> None:
  """Refuses a model with one layer of styles, of which an MLP-ALAE is.

  Raises:
    UserError: there is nothing to mix.
  """
  if model.active_layers < 2:
    raise UserError(
      'the model has one layer of styles, and mixing needs several'
    )


def mixtures(
  sources: np.ndarray, destinations: np.ndarray, first: int, end: int
) -> np.ndarray:
  """Every destination with some layers of every source.

  Args:
    sources: [S, layers, w_dim].
    destinations: [D, layers, w_dim].
    first: the first layer to take from a source.
    end: the layer after the last one.

  Returns:
    [D * S, layers, w_dim], destination by destination.
  """
  taking = jnp.repeat(destinations, len(sources), axis=0)
  giving = jnp.tile(sources, (len(destinations), 1, 1))
  return np.asarray(styles_lib.replace_layers(taking, giving, first, end))


def moved(
  styles: np.ndarray,
  direction: np.ndarray,
  steps: np.ndarray,
  first: int,
  end: int,
) -> np.ndarray:
  """Every point moved by every step on some layers.

  Args:
    styles: [N, layers, w_dim].
    direction: [1 or layers, w_dim].
    steps: [S], in lengths of the direction.
    first: the first layer to move.
    end: the layer after the last one.

  Returns:
    [N * S, layers, w_dim], point by point.
  """
  still = jnp.repeat(styles, len(steps), axis=0)
  along = jnp.tile(steps, len(styles))[:, None, None] * direction
  return np.asarray(styles_lib.replace_layers(still, still + along, first, end))


def read_direction(path: str, model: Model) -> np.ndarray:
  """The direction of an NPY file, of any shape that has the right numbers.

  Returns:
    [1 or layers, w_dim], float32.

  Raises:
    UserError: it is no such file, or of another size, not finite or zero.
  """
  source = storage.locate(path)
  try:
    storage.require_file(source)
    with source.open('rb') as file:
      # np.load would open a zip too, which is no array.
      stored = np.lib.format.read_array(file, allow_pickle=False)
  except Exception as error:  # a damaged header fails in many ways
    raise UserError(
      f'direction {path} cannot be read as an NPY file: {reason(error)}'
    ) from None
  if stored.dtype.kind not in 'fiu':
    raise UserError(
      f'direction {path} holds {stored.dtype}: a direction is of real numbers'
    )
  direction = stored.astype(np.float64)
  wanted = model.w_dim, model.layers * model.w_dim
  if direction.size not in wanted:
    raise UserError(
      f'direction {path} has {direction.size} numbers: a '
      f'direction of this model has {wanted[0]}'
    )
  if not np.isfinite(direction).all() or not direction.any():
    raise UserError(f'direction {path} is zero or not finite')
  if np.abs(direction).max() > _LARGEST:
    raise UserError(
      f'direction {path} holds numbers beyond {_LARGEST:g}: scale it down'
    )
  return direction.astype(np.float32).reshape(-1, model.w_dim)
