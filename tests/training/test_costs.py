"""The recorded costs: read, added to, found again, and shown on a page."""

import dataclasses

import pytest
from etils import epath

from alae_jax import config as config_lib
from alae_jax.errors import UserError
from alae_jax.runs.schedule import build_schedule
from alae_jax.training import costs, plan
from alae_jax.training.cost import Cost
from alae_jax.training.forecast import Forecast
from tests.support import cost_tables

ROW = costs.Row(
  recipe='celebahq',
  settings='train.compute_dtype=bfloat16',
  level=6,
  side=256,
  device='TPU v5 lite',
  devices=8,
  batch=32,
  images=2_900_000,
  arguments=2**30,
  temporary=2**31,
  program=0,
  flops=197e12,
  traffic=0.819e12 / 2,
  compiler='jax 1',
  date='2026-11-28',
)


@pytest.fixture
def table(tmp_path, monkeypatch):
  """A file of costs in the stead of the package's."""
  path = epath.Path(tmp_path / 'costs.tsv')
  read = costs.read
  monkeypatch.setattr(costs, 'read', lambda path=path: read(path))
  return path


def known(devices, device='cpu', **train):
  config = config_lib.read_config('celebahq')
  config.train.compute_dtype = 'bfloat16'
  config.train.update(train)
  return costs.known(config, build_schedule(config), device, devices)


def test_what_is_added_is_read(table):
  assert costs.read() == []
  other = dataclasses.replace(ROW, level=5, side=128)
  for row in (ROW, other, dataclasses.replace(ROW, flops=1.0)):
    costs.add(table, row)
  assert costs.read() == [other, dataclasses.replace(ROW, flops=1.0)]


def test_a_row_says_what_differs_from_the_recipe():
  config = config_lib.read_config('celebahq')
  config.train.compute_dtype = 'bfloat16'
  config.train.images = 10**6  # no matter for a step
  level = Forecast(6, 256, 32, 2_900_000, cost=Cost(1, 2, 3, 4.0, 5.0))

  class Device:
    device_kind = 'TPU v5 lite'

  row = costs.row_of('celebahq', config, level, [Device] * 8)
  assert row.settings == 'train.compute_dtype=bfloat16'
  assert (row.key, row.config.train.compute_dtype) == (ROW.key, 'bfloat16')
  assert row.cost == level.cost


def test_what_holds_for_a_config(table):
  costs.add(table, ROW)
  assert known(1) == [ROW]  # planned on a laptop: by the whole batch
  assert known(4, 'TPU v5 lite', batch_size=16) == [ROW]  # by that of a device
  assert known(4, 'TPU v5 lite') == []
  assert known(1, compute_dtype='float32') == []
  assert known(1, batch_size=64) == []
  text = '256x256 on 8 x v5e, batch 32: 3.0 GiB each, about 32 images/s'
  assert costs.describe(ROW) == text


def test_a_dry_run_tells_of_them(table):
  config = config_lib.read_config('celebahq')
  assert 'costs, by the compiler' not in plan.describe(config)
  costs.add(table, dataclasses.replace(ROW, settings=''))
  told = plan.describe(config).splitlines()
  place = told.index('costs, by the compiler and the peaks of the devices:')
  assert told[place + 1].startswith('  256x256 on 8 x v5e, batch 32: 3.0 GiB')


def test_another_file_is_refused(table):
  table.write_text('a\tb\n1\t2\n')
  with pytest.raises(UserError, match=r'costs\.tsv is no table of costs'):
    costs.read()


def test_the_page_has_what_was_recorded():
  """Else run python -m tests.support.cost_tables."""
  page = cost_tables.PAGE.read_text()
  made = cost_tables.tables(costs.read())
  assert page == cost_tables.place(page, made)
  for text in made.values():
    assert text in page


def test_the_tables():
  alone = dataclasses.replace(ROW, devices=1, batch=4, temporary=15 * 2**30)
  made = cost_tables.tables([ROW, alone])
  start = '| `celebahq` | compute_dtype=bfloat16 |'
  assert made['levels'].splitlines()[2] == (
    f'{start} 8 x v5e | 256x256 | 32 | 3.0 | 32 | arithmetic |'
  )
  assert f'{start} 8 x v5e | 1 of 7 | 3.0 |  |' in made['recipes']
  assert made['gpus'].splitlines()[2:] == [
    f'{start} 256x256 | 4 | 16.0 | too small | fits | fits |'
  ]
