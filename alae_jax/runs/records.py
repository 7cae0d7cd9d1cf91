"""The records of a run: metrics.jsonl, a JSON object a line.

Whatever else is in that file (a line that a kill cut short, a note of the
user's) is no record, is read by nobody and stays there.
"""

import io
import json
import sys
from collections.abc import Iterator
from typing import Any

from etils import epath

from alae_jax import storage


def read(path: epath.Path) -> list[dict[str, Any]]:
  """The records of a file, all with images_seen; [] where it is not there."""
  return list(each(path))


def each(path: epath.Path) -> Iterator[dict[str, Any]]:
  """The same one by one: those of a long run are more than memory holds."""
  return (record for _, record in _lines(path) if record is not None)


def strange_lines(path: epath.Path) -> list[int]:
  """The numbers, from 1 on, of lines that are neither records nor blank."""
  return [
    number
    for number, (line, record) in enumerate(_lines(path), 1)
    if record is None and line.strip()
  ]


def rewind(path: epath.Path, images_seen: int) -> None:
  """Drops the records of steps that will be taken again.

  And a last line that a kill cut short. Other lines stay as they are.
  """
  lines = list(_lines(path))
  kept = [
    line
    for line, record in lines
    if (record is None and line.endswith(b'\n'))
    or (record is not None and record['images_seen'] <= images_seen)
  ]
  if len(kept) < len(lines):
    storage.write_whole(path, b''.join(kept))


def seconds_trained(path: epath.Path, images_seen: int) -> float:
  """By the records, how long it took to see so many images; 0 without any."""
  return max(
    (
      record['seconds']
      for record in read(path)
      if record['images_seen'] <= images_seen
      and is_number(record.get('seconds'))
    ),
    default=0.0,
  )


def is_number(value: Any) -> bool:
  """Whether it is one, and finite as a float.

  JSON knows NaN here, and whole numbers of any length; true would be 1.
  """
  return (
    isinstance(value, int | float)
    and not isinstance(value, bool)
    and abs(value) <= sys.float_info.max
  )


def append(path: epath.Path, record: dict[str, Any]) -> None:
  """Adds a JSON line.

  Raises:
    OSError: names the file; nothing of the record is in it.
  """
  storage.append(path, json.dumps(record) + '\n')


def _lines(path: epath.Path) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
  """Every line with its end, and the record that it is."""
  content = path.read_bytes() if path.exists() else b''
  for line in io.BytesIO(content):
    yield line, _parse(line)


def _parse(line: bytes) -> dict[str, Any] | None:
  try:
    record = json.loads(line)
  except (ValueError, RecursionError):
    return None
  if isinstance(record, dict) and is_number(record.get('images_seen')):
    return record
  return None
