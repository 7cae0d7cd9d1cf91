"""LSUN's LMDBs, in which every value is an image file."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from etils import epath

from alae_jax import progress, storage
from alae_jax.data.sources import base
from alae_jax.errors import UserError, printable

TITLE = "an LMDB, such as LSUN's"
_FILE = 'data.mdb'
# What LSUN calls its folders, and what a split is called here.
_SPLITS = {'train': 'train', 'val': 'test'}
_OPENING = threading.Lock()
# What a process has open, and when it was written: LMDB allows one a file.
_opened: dict[str, tuple[str, Any]] = {}


class LmdbReader(base.Reader):
  """Reads values; a place is a database's folder and a key."""

  def read(self, place: tuple[str, bytes]) -> bytes:
    """Returns the value."""
    path, key = place
    with _OPENING:
      database = _open(path)
    try:
      with database.begin() as transaction:
        value = transaction.get(key)
    except Exception as error:  # of lmdb's many own
      raise base.BadImage(printable(str(error), 200)) from None
    if value is None:
      raise base.BadImage('it is no longer in the database')
    return value


class _Keys(Sequence):
  """Keys of one length, or of several, packed one after the other."""

  def __init__(self, keys: Sequence[bytes]):
    lengths = np.fromiter(map(len, keys), np.int64, len(keys))
    self._ends = np.concatenate([[0], np.cumsum(lengths)])
    self._bytes = b''.join(keys)

  def __len__(self) -> int:
    return len(self._ends) - 1

  def __getitem__(self, index: Any) -> bytes:
    if not 0 <= index < len(self):
      raise IndexError(index)
    return self._bytes[self._ends[index] : self._ends[index + 1]]


class _Places(Sequence):
  """(folder, key) of every image."""

  def __init__(self, parts: Sequence[tuple[str, _Keys]]):
    self._parts = parts
    self._starts = np.cumsum([0, *(len(keys) for _, keys in parts)])

  def __len__(self) -> int:
    return int(self._starts[-1])

  def __getitem__(self, index: Any) -> tuple[str, bytes]:
    if not 0 <= index < len(self):
      raise IndexError(index)
    part = int(np.searchsorted(self._starts, index, side='right')) - 1
    path, keys = self._parts[part]
    return path, keys[index - self._starts[part]]


class _Names(Sequence):
  """The keys as text, each key's another."""

  def __init__(self, places: _Places):
    self._places = places

  def __len__(self) -> int:
    return len(self._places)

  def __getitem__(self, index: Any) -> str:
    _, key = self._places[index]
    # A backslash is doubled: the key b'\\xff' has no byte 255.
    escaped = key.replace(b'\\', b'\\\\')
    return escaped.decode('utf-8', 'backslashreplace')


def holds(path: epath.Path) -> bool:
  """Whether it is a database's folder or file, or a folder of LSUN's."""
  if storage.is_remote(path):
    return False
  if path.is_dir():
    return (path / _FILE).exists() or bool(_of_lsun(path))
  return path.suffix == '.mdb'


def open_source(path: epath.Path) -> base.Source:
  """Lists the keys, in the database's own order.

  Raises:
    UserError: lmdb is not installed, or the database is damaged or empty.
  """
  folders = {'': path.parent if path.is_file() else path}
  if not (folders[''] / _FILE).exists():
    folders = _of_lsun(path) if path.is_dir() else {}
  if not folders:
    raise UserError(f'source {path}: there is no {_FILE} of an LMDB')
  parts, sizes, splits, start = [], [], {}, 0
  for split, folder in folders.items():
    keys, of_keys = _list(folder)
    parts.append((str(folder), keys))
    sizes.append(of_keys)
    splits[split] = np.arange(start, start + len(keys))
    start += len(keys)
  places = _Places(parts)
  return base.Source(
    path=path,
    reader=LmdbReader(),
    names=_Names(places),
    places=places,
    sizes=np.concatenate(sizes),
    splits=splits if '' not in splits else None,
    stamp=base.stamp_of(folder / _FILE for folder in folders.values()),
  )


def _of_lsun(path: epath.Path) -> dict[str, epath.Path]:
  """{'train': …/bedroom_train_lmdb, 'test': …/bedroom_val_lmdb}."""
  found = {}
  for name, split in _SPLITS.items():
    of_split = sorted(
      file.parent for file in path.glob(f'*_{name}_lmdb/{_FILE}')
    )
    if len(of_split) > 1:
      raise UserError(
        f'source {path} holds several classes of LSUN, such as '
        f'{of_split[0].name} and {of_split[1].name}: give each a folder'
      )
    if of_split:
      found[split] = of_split[0]
  return found


def _list(folder: epath.Path) -> tuple[_Keys, np.ndarray]:
  """The keys and the sizes of their values, of which none is read."""
  database = _open(str(folder))
  try:
    total = database.stat()['entries']
    keys, sizes = [], np.zeros(total, np.int64)
    shown = progress.over(_items(database), 'listing', total, 'images')
    for i, (key, size) in enumerate(shown):
      keys.append(key)
      sizes[i] = size
  except Exception as error:  # of lmdb's many own
    raise UserError(_damaged(folder, error)) from None
  if not total:
    raise UserError(f'source {folder}: the LMDB is empty')
  return _Keys(keys), sizes[: len(keys)]


def _items(database: Any) -> Iterator[tuple[bytes, int]]:
  with database.begin(buffers=True) as transaction:
    for key, value in transaction.cursor():
      yield bytes(key), len(value)


def _open(path: str) -> Any:
  """A database, which a process opens once, and again if it was replaced."""
  try:
    import lmdb
  except ImportError:
    raise UserError(
      "reading an LMDB needs lmdb: pip install 'alae_jax[lmdb]'"
    ) from None
  stamp = base.stamp_of([epath.Path(path) / _FILE])
  stamp_before, database = _opened.pop(path, ('', None))
  if database is None or stamp != stamp_before:
    if database is not None:
      database.close()
    try:
      database = lmdb.open(
        path, readonly=True, lock=False, readahead=False, max_readers=512
      )
    except lmdb.Error as error:
      raise UserError(_damaged(epath.Path(path), error)) from None
    _require_pages(epath.Path(path), database)
  _opened[path] = stamp, database
  return database


def _require_pages(folder: epath.Path, database: Any) -> None:
  """Refuses a file cut short: touching what it lacks kills the process."""
  pages = database.info()['last_pgno'] + 1
  wanted = pages * database.stat()['psize']
  there = (folder / _FILE).stat().length
  if there < wanted:
    database.close()
    raise UserError(
      f'{folder / _FILE} is cut short: {there:,} of {wanted:,} bytes are '
      'there; get it again'
    )


def _damaged(folder: epath.Path, error: BaseException) -> str:
  why = printable(str(error), 100)
  return f'{folder / _FILE} is a damaged LMDB ({why}); get it again'
