import numpy as np
import pytest

from alae_jax.inference import directions


def codes(n=400, seed=0):
  """Correlated codes whose third component hardly varies."""
  x = np.random.default_rng(seed).normal(size=(n, 4))
  x[:, 1] += x[:, 0]
  return (x * [3, 1, 0.01, 1]).astype(np.float32)


def test_a_classifier_finds_what_parts_the_classes():
  w = codes()
  positive = w[:, 3] > 0.5
  direction, facts = directions.classify(w, positive)
  assert direction.dtype == np.float32
  assert np.argmax(np.abs(direction)) == 3
  assert direction[3] > 0
  assert facts['accuracy'] > 0.9
  assert facts['training_accuracy'] > 0.9


def test_a_step_is_one_deviation_of_the_score():
  w = codes()
  direction, _ = directions.classify(w, w[:, 3] > 0)
  assert direction[3] == pytest.approx(w[:, 3].std(), rel=0.1)


def test_few_labels_are_all_fitted():
  w = codes(12)
  _, facts = directions.classify(w, np.arange(12) < 3)
  assert facts['accuracy'] is None
  assert 0.5 <= facts['training_accuracy'] <= 1


def test_principal_components_by_hand():
  w = np.array([[2, 0, 1], [-2, 0, 1], [0, 1, 1], [0, -1, 1]], np.float32)
  vectors, shares = directions.principal(w, 2)
  np.testing.assert_allclose(shares, [0.8, 0.2], rtol=1e-6)
  np.testing.assert_allclose(
    vectors, [[2**0.5, 0, 0], [0, 0.5**0.5, 0]], atol=1e-6
  )


def test_factorisation_by_hand():
  weights = np.array([[1.0, 0, 0], [0, 3, 4]])
  w = np.array([[1, 2], [-1, -2]], np.float32)
  vectors, values = directions.factorise(weights, w, 2)
  np.testing.assert_allclose(values, [25, 1])
  np.testing.assert_allclose(vectors, [[0, 2], [1, 0]], atol=1e-6)


def test_a_direction_that_no_code_takes_keeps_its_length():
  w = np.array([[1, 0], [-1, 0]], np.float32)
  np.testing.assert_allclose(
    directions.in_deviations(np.array([[0.0, 5.0]]), w), [[0, 1]]
  )
