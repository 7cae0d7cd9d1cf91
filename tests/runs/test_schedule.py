import math

import pytest

from alae_jax import config as config_lib
from alae_jax.runs.schedule import build_schedule, segment_at, steps_at


@pytest.fixture
def growing():
  config = config_lib.default()
  config.model.kind = 'style'
  config.model.levels = 3
  config.train.images = 1000
  config.train.batch_size = 10
  config.growth.images_per_level = 300
  config.growth.batch_sizes = (64, 32)
  config.growth.learning_rates = (0.1, 0.2, 0.3)
  return build_schedule(config)


def test_without_growth_there_is_one_segment_at_the_last_level():
  config = config_lib.default()
  config.train.images = 1000
  (segment,) = build_schedule(config)
  assert (segment.level, segment.start, segment.end) == (0, 0, 1024)
  assert segment.blend(0) == 1.0


def test_without_growth_the_tables_hold_too():
  config = config_lib.default_style(levels=9)
  config.train.batch_size = 8
  config.train.images = 1000
  (segment,) = build_schedule(config)
  assert (segment.batch_size, segment.learning_rate) == (8, 0.003)
  config.growth.batch_sizes = (64, 32)
  config.growth.learning_rates = (0.1, 0.2)
  (segment,) = build_schedule(config)
  assert (segment.batch_size, segment.learning_rate) == (32, 0.2)


def test_segments_follow_each_other_in_whole_steps(growing):
  # 300, 600 and 1000 images in whole steps of 64, 32 and 32.
  assert [(s.level, s.start, s.end) for s in growing] == [
    (0, 0, 320),
    (1, 320, 608),
    (2, 608, 1024),
  ]
  for segment in growing:
    assert (segment.end - segment.start) % segment.batch_size == 0
  assert [s.start for s in growing[1:]] == [s.end for s in growing[:-1]]


def test_tables_go_on_with_their_last_entry(growing):
  assert [s.batch_size for s in growing] == [64, 32, 32]
  assert [s.learning_rate for s in growing] == [0.1, 0.2, 0.3]


def test_a_level_fades_in_over_the_first_half(growing):
  first, second, _ = growing
  assert first.blend(0) == 1.0
  assert second.blend(second.start) == 0.0
  assert second.blend(second.start + 75) == pytest.approx(0.5)
  assert second.blend(second.start + 50) == pytest.approx(
    (1 - math.cos(math.pi / 3)) / 2
  )
  assert second.blend(second.start + 150) == 1.0
  assert second.blend(second.end) == 1.0


def test_segment_at_gives_the_one_of_the_next_step(growing):
  assert segment_at(growing, 0).level == 0
  assert segment_at(growing, 319).level == 0
  assert segment_at(growing, 320).level == 1
  assert segment_at(growing, 10**9).level == 2


def test_steps_are_counted_over_batch_sizes(growing):
  assert steps_at(growing, 0) == 0
  assert steps_at(growing, 320) == 5
  assert steps_at(growing, 320 + 64) == 7


def test_a_short_run_ends_at_a_lower_level():
  config = config_lib.default()
  config.model.levels = 3
  config.train.images = 400
  config.growth.images_per_level = 300
  config.growth.batch_sizes = (100,)
  schedule = build_schedule(config)
  assert [(s.level, s.end) for s in schedule] == [(0, 300), (1, 400)]


def test_batches_and_rates_are_derived_where_none_are_given():
  config = config_lib.default_style(9)
  config.train.batch_size = 32
  config.train.images = 10_000_000
  config.growth.images_per_level = 1_000_000
  schedule = build_schedule(config)
  assert [s.batch_size for s in schedule] == [
    512,
    256,
    128,
    64,
    32,
    32,
    32,
    32,
    32,
  ]
  assert [s.learning_rate for s in schedule] == pytest.approx(
    [0.0015] * 6 + [0.002, 0.003, 0.003]
  )
