"""Large batches in pieces that fit memory, spread over the devices."""

from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Mesh

from alae_jax import progress, sharding


def in_pieces(
  function: Callable[..., jax.Array], batched, mesh: Mesh, at_once: int
) -> np.ndarray:
  """Applies a function to pieces of a batch and joins what it gives.

  Args:
    function: of a piece of each array; rows do not see one another.
    batched: arrays of N rows each; typed random keys may be among them.
    mesh: whose devices share each piece.
    at_once: the most rows for each device in one call.

  Returns:
    [N, ...] in the host's memory.
  """
  n = batched[0].shape[0]
  if n == 0:
    return _nothing(function, batched)
  over_devices = sharding.over_batch(mesh)
  results: list = []
  for rows in _pieces(n, at_once, mesh.size):
    # The call returns when the function is compiled, and before it has run.
    with progress.telling('compiling'):
      piece = (jax.device_put(x[rows], over_devices) for x in batched)
      results.append(function(*piece))
    # One piece is fetched while the next one is computed.
    results[-2:-1] = map(np.asarray, results[-2:-1])
  return np.concatenate(results)[:n]


def _pieces(n: int, at_once: int, devices: int) -> np.ndarray:
  """Row numbers [pieces, rows]; the last one is repeated to fill up."""
  pieces = -(-n // (at_once * devices))
  size = _round_up(-(-n // pieces), devices)
  rows = np.arange(_round_up(n, size))
  return np.minimum(rows, n - 1).reshape(-1, size)


def _nothing(function: Callable, batched) -> np.ndarray:
  """What the function gives for no rows at all."""
  rows = [jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for x in batched]
  out = jax.eval_shape(function, *rows)
  return np.zeros((0, *out.shape[1:]), out.dtype)


def _round_up(n: int, multiple: int) -> int:
  return -(-n // multiple) * multiple
