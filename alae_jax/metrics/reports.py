"""Results as text, JSON or Markdown."""

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alae_jax.metrics.base import Result
from alae_jax.metrics.published import Published, plain

FORMATS = ('text', 'json', 'markdown')
_DIGITS_OF_CHECKSUM = 12


@dataclasses.dataclass(frozen=True)
class Measured:
  """A model's results.

  Attributes:
    name: of the run.
    state: which of its states, in words.
    records: what is recorded of each metric.
    numbers: of all metrics, by name.
  """

  name: str
  state: str
  records: Sequence[Mapping[str, Any]]
  numbers: Mapping[str, float | None]


def lines(results: Sequence[Result]) -> list[str]:
  """A line for each number, aligned."""
  numbers = {
    name: value for result in results for name, value in result.numbers.items()
  }
  width = max(map(len, numbers))
  return [
    f'  {name:<{width}}  {shown(value)}' for name, value in numbers.items()
  ]


def shown(value: float | None) -> str:
  """A number with four decimals, or with four digits where it is small."""
  if value is None or not math.isfinite(value):
    return 'not finite'
  if isinstance(value, int):
    return f'{value:,}'
  return f'{value:.4f}' if abs(value) >= 0.01 or value == 0 else f'{value:.3e}'


def report(
  measured: Sequence[Measured], published: Sequence[Published], form: str
) -> str:
  """The numbers of some models beside one another.

  Args:
    measured: a column each.
    published: numbers of others to set beside them.
    form: one of FORMATS.
  """
  if form == 'json':
    return _json(measured, published)
  rows = _rows(measured, published)
  notes = [*_notes(measured), *(_note(number) for number in published)]
  if form == 'markdown':
    return '\n'.join([*_markdown(rows), '', *(f'- {note}' for note in notes)])
  return '\n'.join([*_aligned(rows), *notes])


def _rows(
  measured: Sequence[Measured], published: Sequence[Published]
) -> list[list[str]]:
  names = dict.fromkeys(name for one in measured for name in one.numbers)
  rows = [
    ['', *(one.name for one in measured)],
    ['', *(one.state for one in measured)],
    *(
      [name, *(_cell(one.numbers, name) for one in measured)] for name in names
    ),
  ]
  if published:
    rows[0].append('published')
    rows[1].append('')
    for row in rows[2:]:
      row.append(
        ', '.join(
          f'{number.model} {number.value:g}'
          for number in published
          if number.metric == plain(row[0])
        )
      )
  return rows


def _cell(numbers: Mapping[str, float | None], name: str) -> str:
  return shown(numbers[name]) if name in numbers else ''


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  return [
    '  '.join(
      cell.ljust(width) for cell, width in zip(row, widths, strict=True)
    ).rstrip()
    for row in rows
  ]


def _markdown(rows: Sequence[Sequence[str]]) -> list[str]:
  head = [
    '<br>'.join(filter(None, cells)) for cells in zip(*rows[:2], strict=True)
  ]
  return [
    f'| {" | ".join(cell.replace("|", chr(92) + "|") for cell in row)} |'
    for row in (head, ['---'] * len(head), *rows[2:])
  ]


def _notes(measured: Sequence[Measured]) -> Iterable[str]:
  """How each metric was computed; once where it was alike for all."""
  told: dict[tuple[str, str], list[str]] = {}
  for one in measured:
    for record in one.records:
      key = str(record['metric']), describe(record)
      told.setdefault(key, []).append(one.name)
  for (metric, note), names in told.items():
    of = '' if len(names) == len(measured) else f' of {", ".join(names)}'
    yield f'{metric}{of}: {note}'


def describe(record: Mapping[str, Any]) -> str:
  """How a metric was computed, by its record, in words."""
  facts = [
    f'protocol {record["protocol"]}',
    f'{record["images"]:,} images',
  ]
  if 'real_images' in record:
    facts.append(f'{record["real_images"]:,} real images')
  if 'split' in record:
    facts.append(f'split {record["split"]}')
  if 'features' in record:
    identity = _shortened(record['features_identity'])
    facts.append(f'features {record["features"]} ({identity})')
  if 'truncation' in record:
    facts.append(f'truncation {record["truncation"]:g}')
  if record.get('face_crop'):
    facts.append('the middle of the face')
  return ', '.join([*facts, f'seed {record["seed"]}'])


def _shortened(identity: str) -> str:
  """Checksums with as many digits as tell them apart; other words as is."""
  parts = identity.split(' + ')
  if not all(re.fullmatch('[0-9a-f]{64}', part) for part in parts):
    return identity
  digits = [part[:_DIGITS_OF_CHECKSUM] for part in parts]
  return f'SHA-256 {" + ".join(digits)}'


def _note(number: Published) -> str:
  differs = f'; {number.differs}' if number.differs else ''
  return (
    f'published: {number.metric} {number.value:g} of {number.model}, '
    f'{number.resolution}x{number.resolution}: {number.source}{differs}'
  )


def _json(measured: Sequence[Measured], published: Sequence[Published]) -> str:
  content = {
    'runs': [
      {'workdir': one.name, 'records': list(one.records)} for one in measured
    ],
    'published': [dataclasses.asdict(number) for number in published],
  }
  return json.dumps(content, indent=2, allow_nan=False)
