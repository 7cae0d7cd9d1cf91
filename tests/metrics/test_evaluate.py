"""What is refused before anything is computed, and what a record holds."""

import math
import types

import numpy as np
import pytest

from alae_jax.data.dataset import ArrayDataset
from alae_jax.errors import UserError
from alae_jax.metrics import evaluate
from alae_jax.metrics.base import Result, Settings

SETTINGS = Settings()


def make_dataset(labels):
  image = np.zeros((2, 8, 8, 1), np.uint8)
  return ArrayDataset('images', image, *labels)


def test_the_probe_needs_labels_and_test_images():
  labelled, plain = make_dataset([np.zeros(2, int), 1]), make_dataset([])
  evaluate.check(['probe'], labelled, labelled, SETTINGS)
  evaluate.check([], plain, None, SETTINGS)
  with pytest.raises(UserError, match="needs labels, and dataset 'images' has"):
    evaluate.check(['probe'], plain, plain, SETTINGS)
  with pytest.raises(UserError, match="needs test images, and dataset 'images"):
    evaluate.check(['probe'], labelled, None, SETTINGS)


def test_numbers_that_would_be_taken_for_one_another_are_refused():
  plain = make_dataset([])
  names = ['fid2', 'fid3']
  evaluate.check(names, plain, None, SETTINGS)  # two numbers: fid2 and fid3
  with pytest.raises(UserError, match='fid2 and fid3 both give fd_pixels'):
    evaluate.check(names, plain, None, Settings(features='pixels'))


def test_what_is_not_finite_is_recorded_as_nothing():
  model = types.SimpleNamespace(weights='live', resolution=8)
  result = Result('rec', {'rec/mse': 0.0, 'rec/psnr': math.inf}, {'images': 3})
  numbers, words = evaluate.record_of(result, Settings(seed=7), model)
  assert numbers == {'rec/mse': 0.0}
  assert words == {
    'metric': 'rec',
    'weights': 'live',
    'resolution': 8,
    'protocol': 'stylegan',
    'seed': 7,
    'images': 3,
    'rec/psnr': None,
  }
