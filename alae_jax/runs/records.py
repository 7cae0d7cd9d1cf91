"""The records of a run: metrics.jsonl, a JSON object a line."""

import json
from typing import Any

from etils import epath

from alae_jax import storage


def read(path: epath.Path) -> list[dict[str, Any]]:
  """The JSON lines of a file; a line that a kill cut short is left out."""
  found = []
  for line in path.read_text().splitlines() if path.exists() else ():
    try:
      found.append(json.loads(line))
    except ValueError:
      continue
  return found


def rewind(path: epath.Path, images_seen: int) -> None:
  """Drops the records of steps that will be taken again."""
  kept = [
    record
    for record in read(path)
    if record.get('images_seen', 0) <= images_seen
  ]
  if path.exists():
    storage.write_whole(
      path, ''.join(json.dumps(record) + '\n' for record in kept).encode()
    )


def seconds_trained(path: epath.Path, images_seen: int) -> float:
  """By the records, how long it took to see so many images; 0 without any."""
  return max(
    (
      record['seconds']
      for record in read(path)
      if 'seconds' in record and record['images_seen'] <= images_seen
    ),
    default=0.0,
  )


def append(path: epath.Path, record: dict[str, Any]) -> None:
  """Adds a JSON line."""
  storage.append(path, json.dumps(record) + '\n')
