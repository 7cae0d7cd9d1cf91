"""Distances between two sets of feature vectors: Fréchet, kernel, manifolds.

On the host, in float64: features of 50,000 images are sums of millions of
numbers, and differences of such sums are what is measured.
"""

import dataclasses

import numpy as np

Features = np.ndarray


@dataclasses.dataclass(frozen=True)
class Moments:
  """Mean and covariance of vectors, which can be added up batch by batch.

  Attributes:
    count: vectors so far.
    sums: float64 [D].
    products: sums of outer products, float64 [D, D].
  """

  count: int
  sums: np.ndarray
  products: np.ndarray

  @classmethod
  def none(cls, size: int) -> 'Moments':
    """Of no vector, of `size` numbers each."""
    return cls(0, np.zeros(size), np.zeros((size, size)))

  @classmethod
  def of(cls, features: Features) -> 'Moments':
    """Of all rows of [N, D]."""
    return cls.none(features.shape[1]).add(features)

  def add(self, features: Features) -> 'Moments':
    """With further rows, [N, D]."""
    rows = np.asarray(features, np.float64)
    return Moments(
      self.count + len(rows),
      self.sums + rows.sum(0),
      self.products + rows.T @ rows,
    )

  @property
  def mean(self) -> np.ndarray:
    """float64 [D].

    Raises:
      ValueError: there are no vectors.
    """
    if not self.count:
      raise ValueError('no vectors were added')
    return self.sums / self.count

  @property
  def covariance(self) -> np.ndarray:
    """float64 [D, D], with N - 1 in the denominator, as np.cov.

    Raises:
      ValueError: there are fewer than two vectors.
    """
    if self.count < 2:
      raise ValueError(f'{self.count} vectors have no covariance')
    mean = self.mean
    centred = self.products - self.count * np.outer(mean, mean)
    return centred / (self.count - 1)


def frechet_distance(one: Moments, other: Moments) -> float:
  """The Fréchet distance between Gaussians of these moments.

  ‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½), as FID has it (Heusel et al.,
  arXiv:1706.08500). The trace of the root is the sum of the roots of the
  eigenvalues of Σ₁^½ Σ₂ Σ₁^½, which is symmetric: so it holds for covariances
  without full rank, where a general matrix root does not converge.

  Args:
    one: moments of two vectors or more.
    other: likewise, of vectors as long.

  Returns:
    A number that is 0 for equal moments, up to rounding.
  """
  root = _root(one.covariance)
  eigenvalues = np.linalg.eigvalsh(root @ other.covariance @ root)
  trace_of_root = _root_of_values(eigenvalues).sum()
  difference = one.mean - other.mean
  return float(
    difference @ difference
    + np.trace(one.covariance)
    + np.trace(other.covariance)
    - 2 * trace_of_root
  )


def kernel_distance(
  real: Features,
  fake: Features,
  subsets: int = 100,
  subset_size: int = 1000,
  seed: int = 0,
) -> float:
  """The kernel inception distance of Bińkowski et al. (arXiv:1801.01401).

  The mean over random subsets of the unbiased estimate of the squared maximum
  mean discrepancy with the kernel (x·y / D + 1)³; 0 in the mean for sets of one
  distribution, so it may be negative.

  Args:
    real: [N, D].
    fake: [M, D].
    subsets: how many.
    subset_size: vectors of each set in a subset; fewer where there are fewer.
    seed: of the choice.
  """
  size = min(len(real), len(fake), subset_size)
  if size < 2:
    raise ValueError(f'{size} vectors are too few for a kernel distance')
  rng = np.random.default_rng(seed)
  total = 0.0
  for _ in range(subsets):
    x, y = (
      np.asarray(
        features[rng.choice(len(features), size, replace=False)], np.float64
      )
      for features in (fake, real)
    )
    within = _kernel(x, x) + _kernel(y, y)
    off_diagonal = (within.sum() - np.trace(within)) / (size * (size - 1))
    total += off_diagonal - 2 * _kernel(x, y).mean()
  return total / subsets


def precision_and_recall(
  real: Features, fake: Features, neighbours: int = 3, chunk: int = 1000
) -> tuple[float, float]:
  """Improved precision and recall (Kynkäänniemi et al., arXiv:1904.06991).

  A set's manifold is the union of balls around its vectors, each as wide as the
  distance to the k-th nearest other one of the set.

  Args:
    real: [N, D].
    fake: [M, D].
    neighbours: k.
    chunk: rows compared at a time, which bounds the memory.

  Returns:
    The share of fake vectors in the manifold of the real ones, and the share of
    real ones in the manifold of the fake.
  """
  return (
    _share_within(real, fake, neighbours, chunk),
    _share_within(fake, real, neighbours, chunk),
  )


def _share_within(
  manifold: Features, probes: Features, neighbours: int, chunk: int
) -> float:
  radii = np.concatenate(
    [
      # The nearest is the vector itself.
      np.partition(distances, neighbours, axis=1)[:, neighbours]
      for distances in _distances(manifold, manifold, chunk)
    ]
  )
  inside = [
    (distances <= radii).any(1)
    for distances in _distances(probes, manifold, chunk)
  ]
  return float(np.concatenate(inside).mean())


def _distances(rows: Features, columns: Features, chunk: int):
  """Squared distances, [at most chunk, len(columns)] at a time."""
  columns = np.asarray(columns, np.float64)
  norms = (columns**2).sum(1)
  for start in range(0, len(rows), chunk):
    part = np.asarray(rows[start : start + chunk], np.float64)
    squares = (part**2).sum(1)[:, None] + norms - 2 * part @ columns.T
    yield np.clip(squares, 0, None)


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
  return (x @ y.T / x.shape[1] + 1) ** 3


def _root(covariance: np.ndarray) -> np.ndarray:
  """The symmetric root of a matrix without negative eigenvalues."""
  values, vectors = np.linalg.eigh(covariance)
  return (vectors * _root_of_values(values)) @ vectors.T


def _root_of_values(values: np.ndarray) -> np.ndarray:
  """Roots of eigenvalues; what rounding has left of a 0 is 0.

  Its root would be a hundred million times as large.
  """
  rounding = len(values) * np.finfo(values.dtype).eps * np.abs(values).max()
  return np.sqrt(np.where(values > rounding, values, 0))
