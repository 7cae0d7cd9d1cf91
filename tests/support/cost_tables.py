"""The tables of docs/costs.md, made of the costs that were recorded.

python -m tests.support.cost_tables writes them into the page.
"""

import itertools
import re

from alae_jax import config as config_lib
from alae_jax.runs.schedule import build_schedule
from alae_jax.training import costs
from tests.support.pages import DOCS

PAGE = DOCS / 'costs.md'
DAY = 86_400
GIB = 2**30
# What a GPU is sold with, in GB, and the part of it that XLA may use.
GPUS = (16, 24, 80)
USABLE = 0.9


def tables(rows):
  """{name: Markdown} of all tables."""
  return {
    'levels': _table(
      ('recipe', 'settings', 'devices', 'images', 'batch', 'GiB each',
       'images/s, about', 'limit'),
      [_level(row) for row in rows],
    ),
    'recipes': _table(
      ('recipe', 'settings', 'devices', 'levels', 'GiB each, at most',
       'days, about'),
      [_recipe(list(group)) for _, group in _groups(rows)],
    ),
    'gpus': _table(
      ('recipe', 'settings', 'images', 'batch', 'GiB',
       *(f'{size} GB' for size in GPUS)),
      [_gpu(row) for row in rows if row.devices == 1],
    ),
  }  # fmt: skip


def _groups(rows):
  return itertools.groupby(
    rows, lambda row: (row.recipe, row.settings, row.device, row.devices)
  )


def _level(row):
  best = row.estimate
  return (
    *(f'`{row.recipe}`', _settings(row), row.where),
    *(f'{row.side}x{row.side}', f'{row.batch}', _gib(row)),
    f'{best.images_per_second:,.0f}',
    best.limit,
  )


def _recipe(rows):
  first = rows[0]
  config = config_lib.resolve(first.config, first.devices)
  levels = len(build_schedule(config))
  seconds = sum(row.images / row.estimate.images_per_second for row in rows)
  whole = len(rows) == levels
  return (
    *(f'`{first.recipe}`', _settings(first), first.where),
    'all' if whole else f'{len(rows)} of {levels}',
    _gib(max(rows, key=lambda row: row.cost.memory)),
    f'{seconds / DAY:.1f}' if whole else '',
  )


def _gpu(row):
  fits = (
    'fits' if row.cost.memory <= USABLE * size * 1e9 else 'too small'
    for size in GPUS
  )
  return (
    *(f'`{row.recipe}`', _settings(row), f'{row.side}x{row.side}'),
    *(f'{row.batch}', _gib(row), *fits),
  )


def _settings(row):
  return row.settings.replace('train.', '').replace(' ', ', ') or 'as it is'


def _gib(row):
  return f'{row.cost.memory / GIB:.1f}'


def _table(head, lines):
  cells = [head, ('---',) * len(head), *lines]
  return '\n'.join(f'| {" | ".join(line)} |' for line in cells)


def place(page, made):
  """A page with tables between its marks, `<!-- name -->` to `<!-- end -->`."""
  for name, table in made.items():
    page = re.sub(
      rf'(<!-- {name} -->\n).*?(<!-- end -->)',
      lambda match, table=table: f'{match[1]}\n{table}\n\n{match[2]}',
      page,
      flags=re.DOTALL,
    )
  return page


if __name__ == '__main__':
  PAGE.write_text(place(PAGE.read_text(), tables(costs.read())))
