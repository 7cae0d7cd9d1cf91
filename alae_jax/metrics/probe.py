"""How much of the classes survives in the codes (paper section 5.1, table 1).

The codes of the training images are the reference; the test images are
classified by their nearest neighbour (L2) and by a linear SVM (C = 0.02). The
paper's claim: of all compared autoencoders ALAE loses least from the first to
the second.
"""

import functools
from collections.abc import Sequence

from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from alae_jax import progress
from alae_jax.data.dataset import Dataset
from alae_jax.errors import UserError
from alae_jax.inference.embedding import embed
from alae_jax.inference.model import Model
from alae_jax.metrics.base import Metric, Result, Settings, Subject
from alae_jax.metrics.crew import Stopped


def probe(model: Model, train: Dataset, test: Dataset) -> dict[str, float]:
  """Accuracies on w and, where E has one, on its last hidden layer.

  Args:
    model: whose E embeds the images.
    train: labelled images to fit on.
    test: labelled images to classify.

  Returns:
    Accuracies in [0, 1] by name, and the sizes of both sets.

  Raises:
    UserError: the dataset has no labels.
  """
  check_labels(train)
  encoders = {'w': model.encode}
  for name in model.feature_names:
    encoders[name] = functools.partial(model.features, name=name)
  scores: dict[str, float] = {}
  for name, encode in encoders.items():
    codes, labels = embed(encode, train)
    queries, answers = embed(encode, test)
    scores[f'probe/1nn_{name}'] = nearest_neighbour_accuracy(
      codes, labels, queries, answers
    )
    scores[f'probe/svm_{name}'] = linear_svm_accuracy(
      codes, labels, queries, answers
    )
  return scores | {
    'probe/train_images': len(train),
    'probe/test_images': len(test),
  }


def accuracies(codes: Sequence[str]) -> tuple[str, ...]:
  """The names of the accuracies on some codes of E, such as w and hidden."""
  return tuple(f'probe/{by}_{code}' for code in codes for by in ('1nn', 'svm'))


class Probe(Metric):
  """The MNIST table's: classes told apart by codes."""

  name = 'probe'

  def check(
    self, train: Dataset, test: Dataset | None, settings: Settings
  ) -> None:
    """See Metric."""
    check_labels(train)
    if test is None:
      raise UserError(
        f"the probe needs test images, and dataset '{train.name}' has none"
      )

  def numbers(self, settings: Settings) -> tuple[str, ...]:
    """See Metric."""
    return ('probe/',)

  def compute(self, subject: Subject) -> Result:
    """See Metric; every process computes all of it."""
    assert subject.test is not None
    if subject.crew.stops():
      raise Stopped
    numbers = probe(subject.model, subject.train, subject.test)
    sizes = {'images': len(subject.test), 'real_images': len(subject.train)}
    return Result(self.name, numbers, {**sizes, 'split': 'test'})


def check_labels(dataset: Dataset) -> None:
  """Refuses a dataset without labels."""
  if not dataset.has_labels:
    raise UserError(
      f"the probe needs labels, and dataset '{dataset.name}' has none"
    )


def nearest_neighbour_accuracy(codes, labels, queries, answers) -> float:
  """Share of queries whose nearest code (L2) has their label."""
  classifier = KNeighborsClassifier(n_neighbors=1, algorithm='brute')
  with progress.telling(f'finding the nearest of {len(codes):,} codes'):
    return float(classifier.fit(codes, labels).score(queries, answers))


def linear_svm_accuracy(codes, labels, queries, answers) -> float:
  """Share of queries that a linear SVM (C = 0.02) gets right."""
  classifier = LinearSVC(C=0.02, dual='auto', random_state=0)
  with progress.telling(f'fitting a linear SVM to {len(codes):,} codes'):
    return float(classifier.fit(codes, labels).score(queries, answers))
