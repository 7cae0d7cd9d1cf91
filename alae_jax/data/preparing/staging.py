"""The folder in which a dataset is made until it is whole."""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import filelock
from etils import epath

from alae_jax import storage
from alae_jax.data import datasets, remote
from alae_jax.errors import UserError, reason

_PLAN, _WHOLE = 'plan.json', 'whole.json'


def locate(name: str, data_dir: epath.Path, shared: bool = False) -> epath.Path:
  """Where resolutions are made, before all of them are whole.

  Args:
    name: of the dataset.
    data_dir: where datasets are kept.
    shared: whether other machines must reach the folder.
  """
  workplace = data_dir if shared else remote.workplace(data_dir)
  return workplace / f'{name}.unfinished'


@contextlib.contextmanager
def alone(
  name: str, staging: epath.Path, data_dir: epath.Path
) -> Iterator[None]:
  """Keeps others from making the same; leaves no folder that holds nothing."""
  new = not staging.parent.exists()
  staging.mkdir(parents=True, exist_ok=True)
  try:
    with _lock(staging):
      try:
        yield
      finally:
        _leave_nothing_empty(staging, new)
  except filelock.Timeout:
    raise UserError(
      f"another process is preparing '{name}' in {data_dir}: wait for it"
    ) from None
  except OSError as error:
    why = error.strerror or reason(error)
    raise OSError(
      error.errno,
      f'{why}; what was there before is whole, and the same command goes on',
      os.fspath(data_dir),
    ) from error


def _lock(staging: epath.Path) -> contextlib.AbstractContextManager:
  """A lock on the folder; a bucket knows none."""
  if storage.is_remote(staging):
    return contextlib.nullcontext()
  return filelock.FileLock(staging / '.lock').acquire(timeout=0)


def _leave_nothing_empty(staging: epath.Path, new: bool) -> None:
  """Removes the staging folder unless there is work to take up in it."""
  work = [p for p in staging.glob('*/*') if not p.name.endswith('.partial')]
  if not work and staging.exists():
    staging.rmtree()
    if new and not any(staging.parent.iterdir()):
      staging.parent.rmdir()


def note_whole(
  staging: epath.Path, fingerprint: str, skipped: Sequence[tuple[str, str]]
) -> None:
  """Notes that all resolutions in the folder are whole."""
  marker = {'made_from': fingerprint, 'skipped': skipped}
  storage.write_whole(staging / _WHOLE, json.dumps(marker).encode())


def note_of(staging: epath.Path) -> dict[str, Any]:
  """What is noted when all resolutions in the staging folder are whole."""
  marker = staging / _WHOLE
  return json.loads(marker.read_text()) if marker.exists() else {}


def is_made(
  name: str, fingerprint: str, staging: epath.Path, resolutions: Sequence[int]
) -> bool:
  """Whether they only have to be moved."""
  whole = note_of(staging).get('made_from') == fingerprint
  return whole and set(resolutions) <= set(datasets.available(name, staging))


def take_up(staging: epath.Path, begun: dict[str, Any]) -> None:
  """Keeps what an interrupted run left, if it was to make the same."""
  marker = staging / _PLAN
  content = json.dumps(begun).encode()
  if not marker.exists() or marker.read_bytes() != content:
    clear(staging)
    storage.write_whole(marker, content)
  for folder in ('pieces', 'shards'):
    (staging / folder).mkdir(exist_ok=True)


def clear(staging: epath.Path) -> None:
  """Removes all but the lock, which is held."""
  if not staging.exists():  # a bucket has no empty folders
    return
  for path in staging.iterdir():
    if path.name != '.lock':
      path.rmtree() if path.is_dir() else path.unlink()
