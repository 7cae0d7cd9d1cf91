"""Records become curves: what is drawn, what is joined, what is left out."""

import json

import numpy as np
import pytest

from alae_jax.errors import UserError
from alae_jax.runs import series as series_lib
from alae_jax.runs.series import Level, Series, curves_of
from tests.support.curves import evaluation, growing, training


def values(curves):
  """{name: its values}, of names that come once."""
  found = {series.name: list(series.values) for series in curves.series}
  assert len(found) == len(curves.series)
  return found


def test_losses_come_first_then_the_rest_then_speed_then_evaluations():
  curves = curves_of(
    [evaluation(16, **{'probe/1nn_w': 0.5}), training(16), training(32)]
  )
  assert curves.names() == [
    'loss_discriminator',
    'loss_latent',
    'r1_penalty',
    'data_wait',
    'images_per_second',
    'probe/1nn_w',
  ]


def test_what_is_no_result_is_left_out():
  record = evaluation(
    16,
    metric='fid5k',
    protocol='stylegan',
    fid5k=30.0,
    images=5000,
    real_images=1797,
    truncation=0.7,
    seed=0,
    note=None,
    sizes=[1, 2],
    whole=True,
  )
  probe = evaluation(16, **{'probe/train_images': 1500, 'probe/svm_w': 1})
  assert values(curves_of([record, probe])) == {
    'fid5k': [30.0],
    'probe/svm_w': [1.0],
  }


@pytest.mark.parametrize('text', ['NaN', 'Infinity', '-1e999', 'null', '"2"'])
def test_what_is_not_a_finite_number_is_skipped(text):
  odd = training(32, loss_latent=json.loads(text))
  curves = curves_of([training(16), odd, training(48)])
  [latent] = curves.only(['loss_latent']).series
  assert list(latent.images_seen) == [16, 48]
  assert len(values(curves)['r1_penalty']) == 3


@pytest.mark.parametrize('large', [10**400, -1e308, 4e38])
def test_a_number_larger_than_float32_holds_is_skipped(large):
  curves = curves_of([training(16), training(32, r1_penalty=large)])
  assert values(curves)['r1_penalty'] == [0.5]
  beyond = {**training(32), 'images_seen': abs(large)}
  assert values(curves_of([training(16), beyond]))['r1_penalty'] == [0.5]


def test_only_what_was_measured_alike_is_joined():
  settings = [
    {'weights': 'ema'},
    {'weights': 'live'},
    {'weights': 'ema', 'protocol': 'stylegan'},
    {'weights': 'ema', 'protocol': 'alae'},
    {'weights': 'ema', 'features': 'random'},
    {'weights': 'ema', 'truncation': 0.7},
  ]
  curves = curves_of(
    evaluation(seen, fid5k=seen + number, seed=seen, **setting)
    for seen in (16, 32)
    for number, setting in enumerate(settings)
  )
  assert [dict(series.setting) for series in curves.series] == [
    {field: str(value) for field, value in setting.items()}
    for setting in settings
  ]
  for number, series in enumerate(curves.series):
    assert list(series.values) == [16 + number, 32 + number]


def test_training_is_no_evaluation():
  curves = curves_of([training(16), evaluation(16, loss_latent=2.0)])
  assert [series.setting for series in curves.only(['loss_latent']).series] == [
    None,
    {'weights': 'ema'},
  ]


def test_records_come_in_any_order_and_the_last_of_two_counts():
  [series] = curves_of(
    evaluation(seen, fid5k=number)
    for number, seen in enumerate([48, 16, 32, 16, 48])
  ).series
  assert list(series.images_seen) == [16, 32, 48]
  assert list(series.values) == [3, 2, 4]


def test_a_level_begins_where_the_last_one_ended():
  records = growing([0, 1000, 2500], [4, 8, 16])
  expected = (Level(0, 4), Level(1000, 8), Level(2500, 16))
  assert curves_of(records).levels == expected
  assert curves_of(reversed(records)).levels == expected


def test_a_run_that_does_not_grow_has_no_levels():
  records = [training(16), training(32), evaluation(32, resolution=64, fid=1)]
  assert curves_of(records).levels == ()
  assert curves_of([]) == series_lib.Curves(())


KNOWN = ['loss_latent', 'loss_generator', 'fid5k', 'fid5k_full', 'r1_penalty']


@pytest.mark.parametrize(
  ('wanted', 'chosen'),
  [
    (['loss'], ['loss_latent', 'loss_generator']),
    (['r1', 'loss_g'], ['loss_generator', 'r1_penalty']),
    (['fid5k'], ['fid5k']),  # a name, and no beginning then
    (['fid5'], ['fid5k', 'fid5k_full']),
    (['loss', 'loss_latent'], ['loss_latent', 'loss_generator']),
  ],
)
def test_names_and_their_beginnings_choose(wanted, chosen):
  assert series_lib.choose(KNOWN, wanted) == chosen


def test_a_name_that_is_none_is_refused():
  with pytest.raises(UserError, match=r"no number 'kid': there is loss_latent"):
    series_lib.choose(KNOWN, ['loss', 'kid'])


def test_numbers_of_one_kind_go_together():
  names = ['loss_latent', 'fid5k', 'probe/svm_w', 'loss_generator', 'rec/psnr']
  assert series_lib.grouped(names) == {
    'loss': ['loss_latent', 'loss_generator'],
    'fid5k': ['fid5k'],
    'probe': ['probe/svm_w'],
    'rec/psnr': ['rec/psnr'],
  }


def test_few_points_stay_as_they_are():
  x, y = np.arange(1.0, 11.0), np.arange(10.0) ** 2
  for array in series_lib.thin(Series('y', x, y), 10)[1:]:
    np.testing.assert_array_equal(array, y)


def test_many_points_become_means_and_ranges():
  x, y = np.arange(1.0, 9.0), np.array([1, 3, 2, 6, 0, 0, 9, 1.0])
  thinned = series_lib.thin(Series('y', x, y), 4)
  np.testing.assert_allclose(thinned.images_seen, [1.5, 3.5, 5.5, 7.5])
  np.testing.assert_allclose(thinned.means, [2, 4, 0, 5])
  np.testing.assert_array_equal(thinned.lowest, [1, 2, 0, 1])
  np.testing.assert_array_equal(thinned.highest, [3, 6, 0, 9])


def test_thinning_keeps_gaps_extremes_and_large_numbers():
  rng = np.random.default_rng(0)
  x = np.concatenate([np.arange(1000.0), [1e6]])
  y = rng.normal(size=1001)
  y[500] = 1e308
  thinned = series_lib.thin(Series('y', x, y), 50)
  assert len(thinned.means) == 2  # nothing is in the bins between
  assert np.isfinite(thinned.means).all()
  assert thinned.highest.max() == 1e308
  assert thinned.lowest.min() == y.min()


def test_the_usual_range_leaves_out_what_is_far_off():
  usual = np.linspace(1.0, 2.0, 200)
  assert series_lib.usual_range(usual) == (1.0, 2.0)
  low, high = series_lib.usual_range(np.append(usual, 400.0))
  assert (low, high) == (1.0, pytest.approx(2.5, abs=0.1))
  low, high = series_lib.usual_range(np.append(usual, [-400.0, 1e308]))
  assert low == pytest.approx(0.5, abs=0.1)
  assert high == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize('numbers', [[3.0], [3.0, 3.0], [1.0, 400.0]])
def test_the_usual_range_of_few_numbers_is_theirs(numbers):
  assert series_lib.usual_range(np.array(numbers)) == (
    min(numbers),
    max(numbers),
  )
