"""The settings that make a step fit, and how few compilations find them."""

import jax
import pytest

from alae_jax import config as config_lib
from alae_jax.errors import Failure
from alae_jax.runs.schedule import build_schedule
from alae_jax.training import fitting
from alae_jax.training.cost import Cost
from alae_jax.training.forecast import Forecast

GIB = 2**30


@pytest.fixture
def config():
  """Three levels, of eight rows a device on the last."""
  config = config_lib.default_style(levels=3)
  config.train.images = 3_000
  config.train.batch_size = 64
  config.growth.images_per_level = 1_000
  config.growth.batch_sizes = (64,)
  return config


@pytest.fixture
def compiled(monkeypatch):
  """[(level, microbatches)] of what is compiled; a row of a level is GiB."""
  tried = []

  def forecast(config, segment, devices, memory):
    parts = config.train.microbatches
    tried.append((segment.level, parts))
    rows = segment.batch_size // len(devices) // parts
    needed = (1 + rows * (1 + segment.level)) * GIB
    return Forecast(
      level=segment.level,
      side=4 << segment.level,
      batch_size=segment.batch_size,
      images=1_000,
      cost=Cost(GIB, int(needed) - GIB, 0, 1.0, 1.0),
      fits=needed <= memory,
      needed=needed,
      memory=memory,
    )

  monkeypatch.setattr(fitting, 'forecast', forecast)
  return tried


def fit(config, memory, tell=lambda _: None):
  return fitting.fit(
    config, build_schedule(config), jax.devices(), memory * GIB, tell
  )


def test_settings_go_from_the_cheapest_to_the_dearest(config):
  config.train.shard = 'state'
  found = fitting.settings(config, build_schedule(config)[-1], 8)
  parts = [setting.values.get('train.microbatches', 1) for setting in found]
  assert parts == [1, 1, 1, 2, 4, 8]  # those that divide eight rows
  shares = [setting.share for setting in found]
  assert shares == [1, 1, 0.7, 0.7 / 2, 0.7 / 4, 0.7 / 8]
  assert found[1].values == {'train.shard': 'all'}
  assert found[5].values == {
    'train.shard': 'all',
    'train.remat_resolution': 16,
    'train.microbatches': 8,
  }
  assert found[4].apply(config).train.microbatches == 4
  assert config.train.microbatches == 1


@pytest.mark.parametrize('count', [1, 2, 3, 7])
def test_the_first_that_fits_is_found(count):
  for answer in range(count + 1):
    for first in range(count):
      tried = []

      def fits(i, answer=answer, tried=tried):
        tried.append(i)
        return i >= answer

      found = fitting.first_that_fits(fits, count, first)
      assert found == (answer if answer < count else None)
      assert len(tried) == len(set(tried)) <= 4


def test_what_fits_is_compiled_once_a_level(config, compiled):
  setting, found = fit(config, 25)
  assert setting.values == {}
  assert [level.level for level in found] == [0, 1, 2]
  assert compiled == [(2, 1), (1, 1), (0, 1)]


def test_the_last_level_settles_it_for_all(config, compiled):
  said = []
  setting, found = fit(config, 8, said.append)
  assert setting.values == {
    'train.remat_resolution': 16,
    'train.microbatches': 4,
  }
  assert compiled == [(2, 1), (2, 4), (2, 2), (1, 4), (0, 4)]
  assert all(level.fits for level in found)
  assert said[:2] == [
    '16x16, as it is: takes 25.00 of 8.00 GiB, 17.00 too many',
    '16x16, train.remat_resolution=16, train.microbatches=4: takes 7.00 of '
    '8.00 GiB',
  ]


def test_what_never_fits_is_said(config, compiled):
  with pytest.raises(Failure, match='16x16 fits with nothing that was'):
    fit(config, 1.5)
  assert len(compiled) == 2  # by an estimate the last setting comes first


def test_what_to_try_first(config):
  last = build_schedule(config)[-1]
  config.train.shard = 'none'
  assert fitting.advise(config, last, 8) == {'train.shard': 'state'}
  config.train.shard = 'all'
  assert fitting.advise(config, last, 8) == {'train.remat_resolution': 16}
  config.train.remat_resolution = 16
  assert fitting.advise(config, last, 8) == {'train.microbatches': 2}
  config.train.microbatches = 8
  assert fitting.advise(config, last, 8) == {}
