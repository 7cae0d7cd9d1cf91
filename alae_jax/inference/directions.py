"""Directions in w that change an image in one way.

A step of 1 along a direction is one standard deviation: of the codes along it,
or of the classifier's score.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

from alae_jax.inference.model import Model

# name -> direction [w_dim], and what is known of it
Found = dict[str, tuple[np.ndarray, dict[str, Any]]]

# A fifth is set aside to test a classifier on; of fewer codes than these in a
# class that would be a handful, whose accuracy says little.
_ENOUGH_TO_TEST = 25


def from_labels(
  codes: np.ndarray, contrasts: Mapping[str, np.ndarray]
) -> Found:
  """One direction for each contrast, see `classify` and `labels.contrasts`.

  Args:
    codes: [N, w_dim].
    contrasts: bool [N] by name.
  """
  found: Found = {}
  for name, positive in contrasts.items():
    direction, accuracies = classify(codes, positive)
    facts = {'positive': int(positive.sum()), 'images': len(positive)}
    found[name] = direction, accuracies | facts
  return found


def from_components(model: Model, number: int, samples: int = 10_000) -> Found:
  """Principal components of w, see `principal`.

  Args:
    model: whose F draws codes.
    number: of directions, at most.
    samples: codes drawn.
  """
  codes = drawn_codes(model, samples)
  vectors, shares = principal(codes, min(number, *codes.shape))
  return {
    f'pca_{i}': (vector, {'share_of_variance': float(share)})
    for i, (vector, share) in enumerate(zip(vectors, shares, strict=True))
  }


def from_weights(
  model: Model, first: int, end: int, number: int, samples: int = 10_000
) -> Found:
  """What moves the styles of some layers of G most, see `factorise`.

  Args:
    model: whose G and F are looked at.
    first: layer to begin with.
    end: layer after the last.
    number: of directions, at most.
    samples: codes drawn, for the scale.
  """
  vectors, values = factorise(
    model.style_weights(first, end),
    drawn_codes(model, samples),
    min(number, model.w_dim),
  )
  return {
    f'sefa_{i}': (vector, {'eigenvalue': float(value)})
    for i, (vector, value) in enumerate(zip(vectors, values, strict=True))
  }


def drawn_codes(model: Model, samples: int) -> np.ndarray:
  """F(z) of fixed z: [samples, w_dim]."""
  z = jax.random.normal(jax.random.key(0), (samples, model.z_dim))
  return model.map(z)


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
