"""rec and lpips_rec against what is computed image by image."""

import numpy as np
import pytest

from alae_jax.errors import UserError
from alae_jax.inference import loading
from alae_jax.metrics import names, perceptual, ranking, sampling
from alae_jax.metrics.base import Settings
from alae_jax.metrics.reconstruction import reconstruct
from alae_jax.metrics.similarity import mean_squared_error
from alae_jax.ops.pixels import to_float, to_uint8
from tests.support import example_runs
from tests.support.measured import random_images, subject_of


@pytest.fixture(scope='module')
def model(mlp):
  return loading.load(mlp)


def test_rec_is_the_mean_of_what_alae_reconstruct_prints(model):
  test = random_images(11, seed=1)
  result = names.find('rec').compute(subject_of(model, random_images(4), test))
  originals = test.batch(range(11))['image']
  results, measured = reconstruct(model, originals, 'none', range(11))
  distance, decibels, similarity = measured.mean(0)
  assert result.numbers == {
    'rec/mse': pytest.approx(mean_squared_error(originals, results).mean()),
    'rec/psnr': pytest.approx(decibels),
    'rec/ssim': pytest.approx(similarity),
    'rec/latent_distance': pytest.approx(distance, rel=1e-5),
  }
  assert result.facts == {'images': 11, 'split': 'test'}
  np.testing.assert_allclose(
    result.values, mean_squared_error(originals, results)
  )


def test_squared_error_by_hand():
  black = np.zeros((2, 4, 4, 1), np.uint8)
  grey = np.stack([black[0] + np.uint8(51), black[1]])
  np.testing.assert_allclose(mean_squared_error(black, grey), [0.04, 0])


def test_fewer_are_chosen_at_random_and_always_the_same(model):
  test = random_images(30)
  subject = subject_of(model, random_images(4), test)
  some = names.find('rec7').compute(subject)
  all_of_them = names.find('rec').compute(subject)
  assert some.facts['images'] == 7
  np.testing.assert_allclose(some.values, all_of_them.values[some.indices])


def test_lpips_rec_is_lpips_of_each_pair():
  model = example_runs.style_model()
  test = random_images(6, 16, 3)
  subject = subject_of(model, test, test, features='random')
  result = names.find('lpips_rec').compute(subject)
  originals = test.batch(range(6))['image']
  keys = sampling.keys_of(0, np.arange(6))
  results = to_uint8(model.decode(model.encode(originals), keys))
  params = perceptual.find('random').params
  expected = [
    perceptual.distance(params, to_float(x[None]), to_float(y[None]))[0]
    for x, y in zip(originals, results, strict=True)
  ]
  np.testing.assert_allclose(result.values, expected, rtol=1e-4)
  assert result.numbers == {
    'lpips_rec_random': pytest.approx(np.mean(expected), rel=1e-4)
  }


def test_grey_images_have_a_distance_as_if_they_were_coloured():
  params = perceptual.find('random').params
  one, other = (
    to_float(random_images(2, 32, seed=i).batch(range(2))['image'])
    for i in (0, 1)
  )
  np.testing.assert_allclose(
    perceptual.distance(params, one, other),
    perceptual.distance(params, one.repeat(3, 3), other.repeat(3, 3)),
  )


def test_what_is_refused_before_the_work():
  train = random_images(4)
  with pytest.raises(UserError, match=r'no test images: .*split train'):
    names.find('rec').check(train, None, Settings())
  names.find('rec').check(train, None, Settings(split='train'))
  names.find('rec').check(train, None, Settings(protocol='alae-release'))
  with pytest.raises(UserError, match='given is 8x8, and it takes 16x16'):
    names.find('lpips_rec').check(train, train, Settings())


def test_the_best_the_median_and_the_worst():
  values = np.array([5.0, 1, 9, 3, 7, 2, 8, 4, 6])
  rows = ranking.ranked(values, 3)
  assert {name: list(values[row]) for name, row in rows.items()} == {
    'best': [1, 2, 3],
    'median': [4, 5, 6],
    'worst': [7, 8, 9],
  }
  few = ranking.ranked(np.array([2.0, 1]))
  assert [len(row) for row in few.values()] == [1, 1, 1]


def test_a_picture_of_them_shows_original_and_result(model):
  test = random_images(20)
  subject = subject_of(model, test, test)
  result = names.find('rec').compute(subject)
  picture = ranking.picture(model, test, result, seed=0)
  best = test[int(result.indices[np.argmin(result.values)])]['image']
  enlarged = best.repeat(8, 0).repeat(8, 1)
  places = np.lib.stride_tricks.sliding_window_view(
    picture[..., 0], enlarged.shape[:2]
  )
  matches = np.argwhere((places == enlarged[..., 0]).all((2, 3)))
  assert len(matches) == 1
  assert matches[0][0] < picture.shape[0] / 3  # in the first row
