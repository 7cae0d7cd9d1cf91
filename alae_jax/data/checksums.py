"""Checksums of a prepared dataset's files, kept beside them."""

import hashlib
import json
from collections.abc import Iterator, Mapping

from etils import epath

from alae_jax import progress, storage
from alae_jax.errors import UserError

FILE = 'checksums.json'
_INFO = 'dataset_info.json'
GET_BACK = 'get it back, or prepare the dataset again and overwrite it'


def write(directory: epath.Path, known: Mapping[str, str]) -> None:
  """Writes down the size and SHA-256 of every file of a dataset.

  Args:
    directory: the dataset's folder.
    known: the checksums of files that need not be read once more.
  """
  files = {
    path.name: {
      'bytes': path.stat().length,
      'sha256': known.get(path.name) or _sha256(path),
    }
    for path in sorted(directory.iterdir())
    if path.name != FILE
  }
  content = json.dumps({'files': files}, indent=1).encode()
  storage.write_whole(directory / FILE, content)


def check_quickly(directory: epath.Path) -> None:
  """Compares all sizes, and the content of the descriptions.

  A dataset without checksums, of TFDS or made before there were any, passes.

  Raises:
    UserError: names the file that is damaged or missing.
  """
  for name, about in _read(directory).items():
    fault = _fault(directory / name, about, whole=name.endswith('.json'))
    if fault:
      raise UserError(fault)


def check_all(directory: epath.Path) -> Iterator[str]:
  """Compares every byte; yields a line for each file that is not right."""
  files = _read(directory)
  for name in progress.over(list(files), f'checking {directory}', unit='files'):
    fault = _fault(directory / name, files[name], whole=True)
    if fault:
      yield fault


def are_there(directory: epath.Path) -> bool:
  """Whether a dataset has checksums."""
  return (directory / FILE).exists()


def _read(directory: epath.Path) -> dict[str, dict]:
  path = directory / FILE
  if not path.exists():
    return {}
  try:
    files = json.loads(path.read_text())['files']
    return {
      name: {'bytes': int(about['bytes']), 'sha256': str(about['sha256'])}
      for name, about in files.items()
    }
  except (ValueError, KeyError, TypeError, AttributeError):
    raise UserError(f'{path} is damaged: {GET_BACK}') from None


def _fault(path: epath.Path, about: dict, whole: bool) -> str | None:
  """What is wrong with a file, in a line."""
  if not path.exists():
    return f'{path} is missing: {GET_BACK}'
  size = path.stat().length
  if size != about['bytes']:
    return (
      f'{path} has {size:,} bytes, and had {about["bytes"]:,} when it was '
      f'made: {GET_BACK}'
    )
  if whole and _sha256(path) != about['sha256']:
    return f'{path} has changed since it was made: {GET_BACK}'
  return None


def _sha256(path: epath.Path) -> str:
  digest = hashlib.sha256()
  with path.open('rb') as file:
    while chunk := file.read(1 << 20):
      digest.update(chunk)
  return digest.hexdigest()
