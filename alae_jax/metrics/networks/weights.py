"""The weights of feature networks, kept on this machine.

What others publish is downloaded and converted once. The cache then holds a
safetensors file of a network, which notes what it was made of and is compared
with its own checksum whenever it is read.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence

import filelock
import numpy as np
import safetensors
import safetensors.numpy
from etils import epath
from flax import traverse_util

from alae_jax import progress, storage
from alae_jax.errors import UserError
from alae_jax.formats import torch_file
from alae_jax.metrics.networks import conversion, published
from alae_jax.metrics.networks.conversion import Weights, convert

NAMES = tuple(published.NETWORKS)


def location(name: str) -> epath.Path:
  """Where the weights of a network are kept, once they are there.

  Raises:
    UserError: there is no such network.
  """
  if name not in NAMES:
    raise UserError(f'no network {name!r}: there is {", ".join(NAMES)}')
  return _folder() / f'{name}.safetensors'


def load(name: str) -> Weights:
  """The weights of a network, from the cache or from where they are published.

  A published file that lies beside the cache's own is taken rather than
  downloaded.

  Args:
    name: 'inception' or 'lpips'.

  Raises:
    UserError: they can't be had, or what is there is damaged.
  """
  path = location(name)
  if path.exists():
    return _read(name, path)
  with _alone(name):
    if path.exists():  # made by another process meanwhile
      return _read(name, path)
    paths = _fetch(name)
    weights = _convert(name, paths)
    _write(name, weights)
    for source in paths:
      if source.parent == _downloads():
        source.unlink()
  return weights


def keep(name: str, paths: Sequence[epath.PathLike]) -> Weights:
  """Converts files that are given, and keeps the result for `load`.

  Args:
    name: of the network.
    paths: see `convert`.

  Raises:
    UserError: the files can't be used; what was there before stays.
  """
  location(name)
  weights = _convert(name, paths)
  with _alone(name):
    _write(name, weights)
  return weights


def _folder() -> epath.Path:
  return storage.cache_folder() / 'weights'


def _downloads() -> epath.Path:
  return _folder() / 'downloads'


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
  """While no other process fetches or converts the same network."""
  _folder().mkdir(parents=True, exist_ok=True)
  lock = filelock.FileLock(_folder() / f'.{name}.lock')
  with progress.telling(f'waiting for the process that fetches {name}'):
    lock.acquire()
  try:
    yield
  finally:
    lock.release()


def _fetch(name: str) -> list[epath.Path]:
  """The published files of a network, downloaded where they are not here."""
  parts = published.NETWORKS[name]
  here = [published.lying(part, (_folder(), _downloads())) for part in parts]
  if None in here:
    torch_file.import_torch()  # which half a gigabyte may be in vain without
  return [
    path or published.download(part[0], _downloads(), _folder())
    for part, path in zip(parts, here, strict=True)
  ]


def _convert(name: str, paths: Sequence[epath.PathLike]) -> Weights:
  with progress.telling(f'converting the weights of {name}'):
    return convert(name, paths)


def _write(name: str, weights: Weights) -> None:
  """Puts weights into the cache, where nobody else does."""
  path = location(name)
  for left in path.parent.glob(f'.{path.name}.*.partial'):  # by a kill
    left.unlink()
  arrays = traverse_util.flatten_dict(weights.params, sep='/')
  notes = {
    'source': weights.source,
    'sha256': weights.sha256,
    'content': _digest(arrays),
  }
  storage.write_whole(path, safetensors.numpy.save(arrays, notes))


def _read(name: str, path: epath.Path) -> Weights:
  """What was kept.

  Raises:
    UserError: it is not as it was written.
  """
  try:
    with safetensors.safe_open(path, 'np') as file:
      notes = file.metadata() or {}
      names = file.keys()  # which is all that it can be asked for
      arrays = {key: file.get_tensor(key) for key in names}
  except safetensors.SafetensorError as error:
    raise _damaged(path) from error
  found = {key: array.shape for key, array in arrays.items()}
  if (
    found != conversion.shapes(name)
    or not {'source', 'sha256'} <= set(notes)
    or notes.get('content') != _digest(arrays)
  ):
    raise _damaged(path)
  return Weights(
    traverse_util.unflatten_dict(arrays, sep='/'),
    notes['sha256'],
    notes['source'],
  )


def _damaged(path: epath.Path) -> UserError:
  return UserError(f'{path} is damaged: remove it, and it is made again')


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
  """A checksum of names and numbers."""
  digest = hashlib.sha256()
  for name in sorted(arrays):
    digest.update(name.encode())
    digest.update(np.ascontiguousarray(arrays[name], '<f4').data)
  return digest.hexdigest()
