"""What a metric is: `check` refuses early, `compute` gives numbers."""

import abc
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from alae_jax import sharding
from alae_jax.data.dataset import Dataset
from alae_jax.errors import UserError
from alae_jax.inference.model import Model
from alae_jax.metrics import features as features_lib
from alae_jax.metrics import protocols
from alae_jax.metrics.crew import Crew


@dataclasses.dataclass(frozen=True)
class Settings:
  """How metrics are computed; what a number depends on is in its record.

  Attributes:
    protocol: a name in protocols.PROTOCOLS.
    features: one of features.NAMES.
    seed: of latents, noise and pairs.
    truncation: psi of generated images.
    split: of the images that are reconstructed; None: the protocol's.
    real_images: training images that FID compares with, at most; None: as
      many as the protocol says.
    rows: images for each device in one call, at most; None: what fits.
  """

  protocol: str = 'stylegan'
  features: str = features_lib.INCEPTION
  seed: int = 0
  truncation: float = 1.0
  split: str | None = None
  real_images: int | None = None
  rows: int | None = None

  def check(self) -> None:
    """Refuses names that do not exist.

    Raises:
      UserError: names those that do.
    """
    protocols.find(self.protocol)
    features_lib.check_name(self.features)

  @property
  def reconstructs(self) -> str:
    """The split that reconstructions are made of."""
    return self.split or protocols.find(self.protocol).reconstructs


@dataclasses.dataclass(frozen=True)
class Subject:
  """A model, its images, and how and by whom it is measured.

  Attributes:
    model: of a run.
    train: the images that it was trained on.
    test: others, if there are any.
    settings: how.
    crew: by whom.
  """

  model: Model
  train: Dataset
  test: Dataset | None
  settings: Settings
  crew: Crew

  @property
  def protocol(self) -> protocols.Protocol:
    """That of the settings."""
    return protocols.find(self.settings.protocol)

  @functools.cached_property
  def features(self) -> features_lib.Features:
    """Those of the settings, on the devices."""
    features = features_lib.find(self.settings.features, self.protocol)
    return dataclasses.replace(features, params=self.place(features.params))

  def place(self, params: Any) -> Any:
    """Parameters on the devices: in the host's memory they travel each time."""
    return sharding.localize(params, self.crew.mesh)

  @property
  def to_reconstruct(self) -> Dataset:
    """The images that the settings have reconstructed."""
    return of_split(self.settings.reconstructs, self.train, self.test)

  def rows(self, at_once: int) -> int:
    """How many images each device is given in one call.

    Args:
      at_once: the most that anything but the model bears.
    """
    fitting = min(at_once, self.model.images_at_once)
    return min(fitting, self.settings.rows or fitting)


def of_split(split: str, train: Dataset, test: Dataset | None) -> Dataset:
  """The images of a split.

  Raises:
    UserError: there are none.
  """
  if split == 'train':
    return train
  if test is None:
    raise UserError(
      f"dataset '{train.name}' has no test images: say that its training "
      'images are to be reconstructed (split train, or protocol alae-release)'
    )
  return test


@dataclasses.dataclass(frozen=True)
class Result:
  """What a metric found.

  Attributes:
    metric: its name.
    numbers: by name; those that are not finite are None in a record.
    facts: what they were found with: counts, split, checksum, ...
    values: of every image that was reconstructed, [N], where any were: the
      smaller, the better it came out.
    values_are: what the values are, for a caption.
    indices: of these images in their dataset, [N].
  """

  metric: str
  numbers: Mapping[str, float]
  facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  values: np.ndarray | None = None
  values_are: str = ''
  indices: np.ndarray | None = None


class Metric(abc.ABC):
  """A metric of a certain name, such as fid50k.

  Attributes:
    name: the whole of it.
  """

  name: str

  def check(
    self, train: Dataset, test: Dataset | None, settings: Settings
  ) -> None:
    """Refuses data that the metric can't be computed on.

    Raises:
      UserError: says what it needs.
    """
    return

  @abc.abstractmethod
  def numbers(self, settings: Settings) -> tuple[str, ...]:
    """The names of what it gives; one that ends in / begins several."""

  def make_ready(self, settings: Settings) -> None:
    """Reads or downloads what it needs, before there is work to lose.

    Raises:
      UserError: it can't be had.
    """
    return

  @abc.abstractmethod
  def compute(self, subject: Subject) -> Result:
    """Computes it.

    Raises:
      UserError: it can't be computed.
      crew.Stopped: the process is to leave.
    """
