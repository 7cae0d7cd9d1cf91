"""Distances between sets of features, against closed forms and hand values."""

import numpy as np
import pytest
import scipy.linalg

from alae_jax.metrics import statistics
from alae_jax.metrics.statistics import Moments


def moments_with(mean, covariance):
  """Moments that are exactly these, of many vectors."""
  count = 1000
  mean = np.asarray(mean, float)
  products = np.asarray(covariance) * (count - 1) + count * np.outer(mean, mean)
  return Moments(count, mean * count, products)


def test_moments_are_numpys_however_they_are_added_up():
  rows = np.random.default_rng(0).normal(3, 2, (101, 7)).astype(np.float32)
  for sizes in ([101], [1] * 101, [50, 51], [99, 2]):
    moments, start = Moments.none(7), 0
    for size in sizes:
      moments = moments.add(rows[start : start + size])
      start += size
    np.testing.assert_allclose(moments.mean, rows.mean(0, dtype=float), 1e-12)
    np.testing.assert_allclose(
      moments.covariance, np.cov(rows.astype(float), rowvar=False), 1e-10
    )


def test_frechet_of_gaussians_whose_covariances_commute():
  """|Δμ|² + Σ (√λ₁ - √λ₂)², in a basis that is not the axes'."""
  rng = np.random.default_rng(0)
  basis, _ = np.linalg.qr(rng.normal(size=(5, 5)))
  one, two = np.array([1, 4, 9, 0.25, 2]), np.array([4, 1, 1, 1, 2])
  means = np.zeros(5), np.arange(5)
  found = statistics.frechet_distance(
    moments_with(means[0], basis * one @ basis.T),
    moments_with(means[1], basis * two @ basis.T),
  )
  wanted = 30 + ((np.sqrt(one) - np.sqrt(two)) ** 2).sum()
  np.testing.assert_allclose(found, wanted, 1e-9)


def test_frechet_against_the_general_matrix_root():
  """As StyleGAN's and TTUR's code computes it, where that converges."""
  rng = np.random.default_rng(1)
  one, two = (
    Moments.of(rng.normal(size=(500, 30)) @ rng.normal(size=(30, 30)))
    for _ in range(2)
  )
  root = scipy.linalg.sqrtm(one.covariance @ two.covariance)
  wanted = ((one.mean - two.mean) ** 2).sum() + np.trace(
    one.covariance + two.covariance - 2 * root.real
  )
  found = statistics.frechet_distance(one, two)
  np.testing.assert_allclose(found, wanted, 1e-8)
  np.testing.assert_allclose(found, statistics.frechet_distance(two, one), 1e-8)


def test_frechet_without_full_rank():
  """Fewer vectors than dimensions; and one covariance that is 0."""
  rng = np.random.default_rng(2)
  few = Moments.of(rng.normal(size=(10, 40)))
  found = statistics.frechet_distance(few, few)
  assert abs(found) < 1e-8 * np.trace(few.covariance)
  still = moments_with(np.zeros(40), np.zeros((40, 40)))
  wanted = few.mean @ few.mean + np.trace(few.covariance)
  found = statistics.frechet_distance(few, still)
  np.testing.assert_allclose(found, wanted, 1e-9)


@pytest.mark.parametrize('count', [0, 1])
def test_too_few_vectors_have_no_distance(count):
  moments = Moments.of(np.ones((count, 3)))
  with pytest.raises(ValueError, match='vectors'):
    statistics.frechet_distance(moments, moments)
  with pytest.raises(ValueError, match='too few'):
    statistics.kernel_distance(np.ones((count, 3)), np.ones((5, 3)))


def test_kernel_distance_by_hand():
  """Two vectors of one number each, one subset of all."""
  real, fake = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
  kernel = lambda a, b: (a * b + 1) ** 3  # noqa: E731
  across = np.mean([kernel(a, b) for a in (0, 1) for b in (1, 2)])
  wanted = kernel(0, 1) + kernel(1, 2) - 2 * across
  found = statistics.kernel_distance(real, fake, subsets=3, subset_size=9)
  np.testing.assert_allclose(found, wanted)


def test_kernel_distance_is_unbiased():
  """Over many draws of one distribution its mean is 0, however few vectors."""
  rng = np.random.default_rng(3)
  draws = [
    statistics.kernel_distance(
      rng.normal(size=(6, 4)), rng.normal(size=(6, 4)), subsets=1
    )
    for _ in range(4000)
  ]
  assert abs(np.mean(draws)) < 4 * np.std(draws) / np.sqrt(len(draws))
  apart = statistics.kernel_distance(
    rng.normal(size=(500, 4)), rng.normal(1, 1, (500, 4))
  )
  assert apart > 10 * np.std(draws) / np.sqrt(len(draws))


def test_precision_and_recall_on_points_of_a_line():
  """With k = 1 every ball is as wide as the way to the nearest neighbour."""
  real = np.array([[0.0], [1.0], [2.0], [10.0]])  # radii 1, 1, 1, 8
  fake = np.array([[1.5], [2.5], [30.0], [-1.5]])  # radii 1, 1, 27.5, 3
  precision, recall = statistics.precision_and_recall(real, fake, 1, chunk=3)
  assert precision == 2 / 4  # 1.5 and 2.5 (also within 8 of 10)
  # 0 is within 3 of -1.5; 1 within 1 of 1.5; 2; 10 within 27.5 of 30.
  assert recall == 1.0


def test_precision_and_recall_of_equal_and_of_far_sets():
  rng = np.random.default_rng(4)
  one = rng.normal(size=(200, 3))
  assert statistics.precision_and_recall(one, one) == (1.0, 1.0)
  assert statistics.precision_and_recall(one, one + 100) == (0.0, 0.0)
  narrow = one * 0.2  # precise, and recalls little
  precision, recall = statistics.precision_and_recall(one, narrow)
  assert precision > 0.95 > 0.6 > recall
