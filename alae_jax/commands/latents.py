"""Latents from seeds and from the user's own images, and images from them."""

import argparse
import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
import tqdm
from etils import epath

from alae_jax import storage
from alae_jax.commands import options
from alae_jax.commands.output import Output
from alae_jax.data import images
from alae_jax.data.sources import folders
from alae_jax.errors import UserError
from alae_jax.inference import loading, pictures
from alae_jax.inference.model import Model
from alae_jax.ops.pixels import to_uint8


@dataclasses.dataclass(frozen=True)
class Latents:
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


def open_run(args: argparse.Namespace) -> loading.LoadedRun:
  """The model of WORKDIR; refuses a --cutoff that it does not have."""
  loaded = loading.load_run(args.workdir, args.weights)
  cutoff = getattr(args, 'cutoff', None)
  if cutoff is not None and not 0 <= cutoff <= loaded.model.layers:
    raise UserError(
      f'--cutoff {cutoff}: this model has {loaded.model.layers} layers'
    )
  return loaded


def parse_points(words: Sequence[str]) -> list[int | epath.Path]:
  """Seeds such as 0-3,7 and image files or folders, one point each.

  Raises:
    UserError: a word is neither, or could be both.
  """
  points: list[int | epath.Path] = []
  for word in words:
    if options.is_seeds(word):
      points += _parse_seeds(word)
    else:
      points += find_files([word])
  return points


def originals_of(points: Sequence[int | epath.Path]) -> list[str]:
  """The file that `write_originals` will write, where a point is an image."""
  pictured = any(not isinstance(point, int) for point in points)
  return ['originals.png'] if pictured else []


def find_files(words: Sequence[str]) -> list[epath.Path]:
  """The image files that words name; of a folder all, sorted.

  Raises:
    UserError: there is no such file, or no image in a folder.
  """
  found: list[epath.Path] = []
  for word in words:
    path = storage.locate(word)
    if not path.exists():
      raise UserError(f'{word}: no such file or folder')
    files = folders.list_images(path) if path.is_dir() else [path]
    if not files:
      raise UserError(
        f'{word} holds no images ({", ".join(sorted(images.EXTENSIONS))})'
      )
    found += files
  return found


def read_pictures(files: Sequence[epath.Path], model: Model) -> np.ndarray:
  """Files as a model takes them: the central square, resized, its channels.

  Returns:
    uint8 [N, H, W, C].
  """
  empty = np.zeros(
    (0, model.resolution, model.resolution, model.channels), np.uint8
  )
  squares = [
    images.to_square(images.read_image(path, model.channels), model.resolution)
    for path in tqdm.tqdm(files, 'reading', delay=2, leave=False)
  ]
  return np.stack(squares) if squares else empty


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
  model: Model, points: Sequence[int | epath.Path], args: argparse.Namespace
) -> Latents:
  """Points in w; --truncation and --cutoff hold for seeds.

  The noise of an image is that of the seed with its place's number.
  """
  pictured = [i for i, point in enumerate(points) if not isinstance(point, int)]
  seeds = [
    point if isinstance(point, int) else i for i, point in enumerate(points)
  ]
  styles, noise_keys = from_seeds(model, seeds, args.truncation, args.cutoff)
  originals = read_pictures([points[i] for i in pictured], model)
  styles = np.array(styles)
  styles[pictured] = model.broadcast(model.encode(originals))
  names = [
    f'seed {point}' if isinstance(point, int) else str(point)
    for point in points
  ]
  return Latents(names, styles, noise_keys, pictured, originals)


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
    noise: one of options.NOISES.
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


def write_originals(
  output: Output, model: Model, latents: Latents, noise: str
) -> None:
  """Writes originals.png: the images given, and beside each what G makes."""
  if not latents.pictured:
    return
  rows = np.asarray(latents.pictured)
  results = draw(model, latents.styles[rows], noise, latents.noise_keys[rows])
  output.write_grid(
    'originals.png', pictures.beside(latents.originals, results), 2
  )


def _one_a_device(model: Model, function, *batched) -> np.ndarray:
  """Calls with one row for each device at a time.

  Sums are added in another order in a batch of another size, which can turn
  a pixel: one row a device keeps an image the same to the last bit.
  """
  n = len(batched[0])
  starts = tqdm.tqdm(range(0, n, model.devices), 'images', delay=3, leave=False)
  return np.concatenate(
    [
      function(*(x[start : start + model.devices] for x in batched))
      for start in starts
    ]
  )


def _parse_seeds(word: str) -> list[int]:
  try:
    return options.seeds(word)
  except argparse.ArgumentTypeError as error:
    raise UserError(str(error)) from None
