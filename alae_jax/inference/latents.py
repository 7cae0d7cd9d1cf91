"""Points in w, from seeds and from images, and the images that they give."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from etils import epath

from alae_jax import progress
from alae_jax.inference.model import Model
from alae_jax.inference.user_images import read_pictures
from alae_jax.ops.pixels import to_uint8


@dataclasses.dataclass(frozen=True)
class Points:
  """Points in w, and what they were made from.

  Attributes:
    names: 'seed 3' or the file of each.
    styles: [N, layers, w_dim].
    noise_keys: [N], of each point's own noise.
    pictured: which of them come from an image, in order.
    originals: uint8 [len(pictured), H, W, C], those images.
  """

  names: list[str]
  styles: np.ndarray
  noise_keys: jax.Array
  pictured: list[int]
  originals: np.ndarray


def from_seeds(
  model: Model,
  seeds: Sequence[int],
  psi: float = 1.0,
  cutoff: int | None = None,
) -> tuple[np.ndarray, jax.Array]:
  """Styles [N, layers, w_dim] and noise keys [N]; each from its seed alone."""
  keys = seed_keys(seeds)
  z, noise_keys = model.draw_latents(keys)
  return model.truncate(_one_a_device(model, model.map, z), psi, cutoff), (
    noise_keys
  )


def seed_keys(seeds: Sequence[int]) -> jax.Array:
  """jax.random.key of every seed."""
  return jax.vmap(jax.random.key)(np.asarray(seeds, np.uint32))


def locate(
  model: Model,
  points: Sequence[int | epath.Path],
  psi: float = 1.0,
  cutoff: int | None = None,
) -> Points:
  """Points in w, of seeds and of image files.

  Args:
    model: whose F maps seeds and whose E encodes images.
    points: seeds and image files, in any order.
    psi: truncation of seeds; what an image encodes to stays.
    cutoff: see `Model.truncate`.

  Returns:
    A point each, in order. The noise of an image is that of the seed with its
    place's number.
  """
  pictured = [i for i, point in enumerate(points) if not isinstance(point, int)]
  seeds = [
    point if isinstance(point, int) else i for i, point in enumerate(points)
  ]
  styles, noise_keys = from_seeds(model, seeds, psi, cutoff)
  originals = read_pictures([points[i] for i in pictured], model)
  styles = np.array(styles)
  styles[pictured] = model.broadcast(model.encode(originals))
  names = [
    f'seed {point}' if isinstance(point, int) else str(point)
    for point in points
  ]
  return Points(names, styles, noise_keys, pictured, originals)


def draw(
  model: Model, styles: np.ndarray, noise: str, noise_keys: jax.Array
) -> np.ndarray:
  """Decodes styles like `decode`, to uint8 [N, H, W, C]."""
  return to_uint8(decode(model, styles, noise, noise_keys))


def decode(
  model: Model, styles: np.ndarray, noise: str, noise_keys: jax.Array
) -> np.ndarray:
  """Decodes styles, each by itself: the same pixels whatever the others are.

  Args:
    model: whose G decodes.
    styles: [N, layers, w_dim].
    noise: one of choices.NOISES.
    noise_keys: for random noise; N is a multiple of how many there are, and
      each is for that many styles in a row.

  Returns:
    [N, H, W, C], float32, about [-1, 1].
  """
  if noise == 'none':
    return _one_a_device(model, model.decode, styles)
  if noise == 'constant':
    noise_keys = seed_keys([0])
  own = np.arange(len(styles)) * len(noise_keys) // len(styles)
  return _one_a_device(model, model.decode, styles, noise_keys[own])


def _one_a_device(model: Model, function, *batched) -> np.ndarray:
  """Calls with one row for each device at a time.

  Sums are added in another order in a batch of another size, which can turn
  a pixel: one row a device keeps an image the same to the last bit.
  """
  n = len(batched[0])
  starts = range(0, n, model.devices)
  return np.concatenate(
    [
      function(*(x[start : start + model.devices] for x in batched))
      for start in progress.over(starts, 'drawing', unit='images')
    ]
  )
