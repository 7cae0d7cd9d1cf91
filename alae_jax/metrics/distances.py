"""FID, KID, precision and recall: generated images against real ones."""

import dataclasses
import functools
from typing import Any, ClassVar

import numpy as np

from alae_jax.data.dataset import Dataset
from alae_jax.errors import UserError
from alae_jax.metrics import features as features_lib
from alae_jax.metrics import protocols, reals, sampling, statistics
from alae_jax.metrics.base import Metric, Result, Settings, Subject, of_split
from alae_jax.metrics.reconstruction import originals_and_keys, reconstructing


@dataclasses.dataclass(frozen=True)
class _OfFeatures(Metric):
  """What all of them have in common.

  Attributes:
    name: such as fid50k.
    images: generated ones.
    distance: what it is called with other features than Inception's.
  """

  distance: ClassVar[str]
  name: str
  images: int

  def check(
    self, train: Dataset, test: Dataset | None, settings: Settings
  ) -> None:
    """See Metric."""
    features_lib.check_images(
      settings.features, train.resolution, train.channels
    )
    if self.images < 2:
      raise UserError(f'{self.name}: it takes two images at least')
    if len(train) < 2:
      raise UserError(
        f"{self.name}: dataset '{train.name}' has one image, and it takes two"
      )

  def numbers(self, settings: Settings) -> tuple[str, ...]:
    """See Metric."""
    return (_named(self, settings),)

  def make_ready(self, settings: Settings) -> None:
    """See Metric."""
    features_lib.find(settings.features, protocols.find(settings.protocol))

  def _generating(self, subject: Subject) -> tuple[Any, int, Any]:
    """A function, for how many rows, and what makes a batch of these."""
    seen, settings = subject.features, subject.settings
    function = sampling.generated(
      subject.model,
      subject.protocol,
      seen.extract,
      seen.params,
      settings.truncation,
    )
    keys = functools.partial(sampling.keys_batch, settings.seed)
    return function, self.images, keys

  def _both(self, subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Features of real images and of as many generated ones."""
    released = subject.protocol.released
    choice = reals.choose(subject.train, self.images, released)
    real = reals.vectors(subject, subject.train, choice)
    fake = reals.all_rows(subject, *self._generating(subject), self.name)
    return real, fake

  def _facts(self, subject: Subject, real: int) -> dict[str, Any]:
    return {
      'images': self.images,
      'real_images': real,
      'features': subject.features.name,
      'features_identity': subject.features.identity,
      'truncation': subject.settings.truncation,
      'split': 'train',
    }


class Fid(_OfFeatures):
  """The Fréchet inception distance (Heusel et al., arXiv:1706.08500)."""

  distance = 'fd'

  def compute(self, subject: Subject) -> Result:
    """See Metric."""
    real = real_moments(subject, self.images)
    fake = reals.add_up(subject, *self._generating(subject), self.name)
    name = self.numbers(subject.settings)[0]
    return Result(
      self.name,
      {name: statistics.frechet_distance(real, fake)},
      self._facts(subject, real.count),
    )


class FidRec(_OfFeatures):
  """The same of reconstructions G(E(x)), against the training images."""

  distance = 'fd'

  def check(
    self, train: Dataset, test: Dataset | None, settings: Settings
  ) -> None:
    """See Metric."""
    super().check(train, test, settings)
    if len(of_split(settings.reconstructs, train, test)) < 2:
      raise UserError(f'{self.name}: it takes two images to reconstruct')

  def compute(self, subject: Subject) -> Result:
    """See Metric."""
    originals = subject.to_reconstruct
    choice = reals.choose(originals, self.images)
    seen = subject.features
    real = real_moments(subject, self.images)
    fake = reals.add_up(
      subject,
      reconstructing(subject, _Results(seen.extract), seen.params),
      len(choice.indices),
      functools.partial(
        originals_and_keys, subject.settings.seed, originals, choice
      ),
      self.name,
    )
    name = self.numbers(subject.settings)[0]
    facts = self._facts(subject, real.count) | {
      'images': fake.count,
      'split': subject.settings.reconstructs,
    }
    del facts['truncation']
    return Result(
      self.name, {name: statistics.frechet_distance(real, fake)}, facts
    )


class Kid(_OfFeatures):
  """The kernel inception distance (Bińkowski et al., arXiv:1801.01401)."""

  distance = 'kd'

  def compute(self, subject: Subject) -> Result:
    """See Metric."""
    real, fake = self._both(subject)
    name = self.numbers(subject.settings)[0]
    return Result(
      self.name,
      {name: statistics.kernel_distance(real, fake)},
      self._facts(subject, len(real)),
    )


@dataclasses.dataclass(frozen=True)
class PrecisionRecall(_OfFeatures):
  """Improved precision and recall (Kynkäänniemi et al., arXiv:1904.06991).

  Attributes:
    neighbours: whose distance is a ball's radius.
  """

  distance = 'pr'
  neighbours: int = 3

  def numbers(self, settings: Settings) -> tuple[str, ...]:
    """See Metric."""
    name = _named(self, settings)
    return f'{name}/precision', f'{name}/recall'

  def check(
    self, train: Dataset, test: Dataset | None, settings: Settings
  ) -> None:
    """See Metric."""
    super().check(train, test, settings)
    if min(self.images, len(train)) <= self.neighbours:
      raise UserError(
        f'{self.name}: it takes more images than neighbours, of the dataset too'
      )

  def compute(self, subject: Subject) -> Result:
    """See Metric."""
    real, fake = self._both(subject)
    found = statistics.precision_and_recall(real, fake, self.neighbours)
    return Result(
      self.name,
      dict(zip(self.numbers(subject.settings), found, strict=True)),
      self._facts(subject, len(real)),
    )


@dataclasses.dataclass(frozen=True)
class _Results:
  """What features see of reconstructions."""

  extract: features_lib.Extract

  def __call__(self, params: Any, images: Any, results: Any, _: Any) -> Any:
    return self.extract(params, results)


def real_moments(subject: Subject, images: int) -> statistics.Moments:
  """Of the training images that a protocol compares with.

  Args:
    subject: whose images they are.
    images: how many are generated.
  """
  released = subject.protocol.released
  count = subject.settings.real_images or (images if released else None)
  choice = reals.choose(subject.train, count, released)
  return reals.moments(subject, subject.train, choice)


def _named(metric: _OfFeatures, settings: Settings) -> str:
  """A number's name: Inception's own, or one that is never taken for it."""
  suffix = features_lib.suffix(settings.features)
  if not suffix:
    return metric.name
  end = '_rec' if metric.name.endswith('_rec') else ''
  return f'{metric.distance}{suffix}{end}'
