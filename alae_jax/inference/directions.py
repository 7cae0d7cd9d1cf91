"""Directions in w that change an image in one way.

A step of 1 along a direction is one standard deviation: of the codes along it,
or of the classifier's score.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

from alae_jax.models.networks import Params

# With fewer codes of a class none are set aside to test the classifier on.
_ENOUGH_TO_TEST = 5


def classify(
  codes: np.ndarray, positive: np.ndarray
) -> tuple[np.ndarray, dict[str, float | None]]:
  """How codes change on the way from one class to the other.

  The classes are parted by a logistic regression on standardised components,
  both weighted the same. The direction is not the normal n of its plane, along
  which codes may hardly vary, but what goes with it: Cov(w) n (Haufe et al.
  2014), which raises the score w.n as images that score higher do.

  Args:
    codes: [N, w_dim].
    positive: bool [N]; the direction leads towards these.

  Returns:
    The direction [w_dim], which raises the score by one standard deviation,
    and balanced accuracies: 'accuracy' on a fifth of
    the codes, set aside (None where they are too few), and
    'training_accuracy'.
  """
  scale = codes.std(0) + 1e-8
  x = (codes - codes.mean(0)) / scale
  fitted, held_out = _set_aside(positive)
  classifier = _fit(x[fitted], positive[fitted])
  direction = x.T @ (x @ classifier.coef_[0]) / len(x) * scale

  def accuracy(rows):
    return (
      float(
        balanced_accuracy_score(positive[rows], classifier.predict(x[rows]))
      )
      if len(rows)
      else None
    )

  spread = (x @ classifier.coef_[0]).std()
  return (direction / max(spread, 1e-30)).astype(np.float32), {
    'accuracy': accuracy(held_out),
    'training_accuracy': accuracy(fitted),
  }


def principal(codes: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
  """Principal components of codes (Harkonen et al. 2020).

  Args:
    codes: [N, w_dim], N >= number.
    number: of directions.

  Returns:
    Directions [number, w_dim], and each one's share of the variance [number].
  """
  _, values, vectors = np.linalg.svd(codes - codes.mean(0), full_matrices=False)
  shares = values**2 / max(np.sum(values**2), 1e-30)
  return in_deviations(_signed(vectors[:number]), codes), shares[:number]


def factorise(
  weights: np.ndarray, codes: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray]:
  """Closed-form factorisation of style weights (SeFa, Shen and Zhou 2021).

  The eigenvectors of A A^T with the largest eigenvalues: what moves the
  styles of G most, for a step of the same length in w.

  Args:
    weights: A, [w_dim, outputs].
    codes: [N, w_dim], for the scale.
    number: of directions.

  Returns:
    Directions [number, w_dim], and the eigenvalues [number].
  """
  values, vectors = np.linalg.eigh(weights @ weights.T)
  best = np.argsort(values)[::-1][:number]
  return in_deviations(_signed(vectors.T[best]), codes), values[best]


def style_weights(generator: Params, first: int, end: int) -> np.ndarray:
  """The style weights of a StyleALAE's G on layers first to end - 1.

  Args:
    generator: parameters of G.
    first: layer to begin with.
    end: layer after the last.

  Returns:
    [w_dim, outputs]; every layer has the same gain, so it is left out.
  """
  layers = [
    generator[f'block_{i // 2}'][f'layer_{i % 2 + 1}']
    for i in range(first, end)
  ]
  return np.concatenate(
    [np.asarray(layer['style']['kernel']) for layer in layers], axis=1
  )


def in_deviations(directions: np.ndarray, codes: np.ndarray) -> np.ndarray:
  """Scales directions [N, w_dim] to one standard deviation of the codes."""
  length = np.linalg.norm(directions, axis=1, keepdims=True)
  units = directions / np.maximum(length, 1e-30)
  spread = (codes @ units.T).std(0)[:, None]
  # Codes that do not vary along a direction give no scale.
  return (units * np.where(spread > 0, spread, 1)).astype(np.float32)


def _signed(vectors: np.ndarray) -> np.ndarray:
  """Picks the sign that makes the largest component positive."""
  largest = np.abs(vectors).argmax(axis=1)
  return vectors * np.sign(vectors[np.arange(len(vectors)), largest])[:, None]


def _set_aside(positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Row numbers to fit on and to test on."""
  rows = np.arange(len(positive))
  if min(positive.sum(), (~positive).sum()) < _ENOUGH_TO_TEST:
    return rows, rows[:0]
  return train_test_split(
    rows, test_size=0.2, stratify=positive, random_state=0
  )


def _fit(x: np.ndarray, positive: np.ndarray) -> LogisticRegression:
  classifier = LogisticRegression(C=0.1, class_weight='balanced', max_iter=1000)
  with warnings.catch_warnings():
    # Stopping short of the optimum leaves a direction that serves.
    warnings.simplefilter('ignore', ConvergenceWarning)
    return classifier.fit(x, positive)
