"""Checksums of a prepared dataset's files, kept beside them."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping

from etils import epath

from alae_jax import progress, storage
from alae_jax.errors import UserError

FILE = 'checksums.json'
GET_BACK = 'get it back, or prepare the dataset again and overwrite it'
# Files up to this size are compared whole whenever a dataset is opened; of
# others, this much of the beginning and the end: ArrayRecord's sizes are round,
# so that files of others often have the same.
_QUICK_BYTES = 1 << 16


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
      'ends': _sha256_of_ends(path),
    }
    for path in sorted(directory.iterdir())
    if path.name != FILE
  }
  content = json.dumps({'files': files}, indent=1).encode()
  storage.write_whole(directory / FILE, content)


def check_quickly(
  directory: epath.Path, names: Collection[str] | None = None
) -> None:
  """Compares sizes, and the beginnings and ends of files.

  A dataset without checksums, of TFDS or made before there were any, passes.

  Args:
    directory: the dataset's folder.
    names: the files to look at; None: all of them.

  Raises:
    UserError: names the file that is damaged or missing.
  """
  for name, about in _read(directory).items():
    if names is None or name in names:
      fault = _fault(directory / name, about, whole=False)
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
      name: {'bytes': int(about['bytes']), 'sha256': str(about['sha256']),
             'ends': str(about['ends'])}
      for name, about in files.items()
    }  # fmt: skip
  except (ValueError, KeyError, TypeError, AttributeError):
    raise UserError(f'{path} is damaged: {GET_BACK}') from None


def _fault(path: epath.Path, about: dict, whole: bool) -> str | None:
  """What is wrong with a file, in a line."""
  try:
    size = path.stat().length
  except FileNotFoundError:
    return f'{path} is missing: {GET_BACK}'
  if size != about['bytes']:
    return (
      f'{path} has {size:,} bytes, and had {about["bytes"]:,} when it was '
      f'made: {GET_BACK}'
    )
  # Of a remote file, asking for its size is quick, and nothing else.
  changed = (
    not storage.is_remote(path) and _sha256_of_ends(path) != (about['ends'])
  )
  if changed or (whole and _sha256(path) != about['sha256']):
    return f'{path} has changed since it was made: {GET_BACK}'
  return None


def _sha256_of_ends(path: epath.Path) -> str:
  with path.open('rb') as file:
    first = file.read(_QUICK_BYTES)
    file.seek(max(0, path.stat().length - _QUICK_BYTES))
    return hashlib.sha256(first + file.read(_QUICK_BYTES)).hexdigest()


def _sha256(path: epath.Path) -> str:
  digest = hashlib.sha256()
  with path.open('rb') as file:
    while chunk := file.read(1 << 20):
      digest.update(chunk)
  return digest.hexdigest()
