"""The real images of a run, those it trains on and those its pictures show."""

import dataclasses

import ml_collections

from alae_jax.data import datasets
from alae_jax.data.dataset import Dataset
from alae_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Reals:
  """A dataset at one resolution.

  Attributes:
    train: not empty.
    test: None where none were set apart.
  """

  train: Dataset
  test: Dataset | None

  @property
  def pair(self) -> tuple[Dataset, Dataset | None]:
    """Both, in this order."""
    return self.train, self.test

  @property
  def shown(self) -> Dataset:
    """Those to reconstruct in pictures."""
    return self.test or self.train


def open_reals(config: ml_collections.ConfigDict, resolution: int) -> Reals:
  """The dataset that a config names.

  Raises:
    datasets.Missing: it is not there.
    UserError: it has other channels than the model, or no training images.
  """
  data = config.data
  where = data.name, data.data_dir
  train = datasets.open_dataset(*where, 'train', resolution)
  if train.channels != config.model.channels:
    raise UserError(
      f'config.model.channels is {config.model.channels}, and dataset '
      f"'{data.name}' has {train.channels}"
    )
  if not len(train):
    raise UserError(f"dataset '{data.name}' has no images to train on")
  test = None
  if datasets.has_split(*where, 'test', resolution):
    test = datasets.open_dataset(*where, 'test', resolution)
  return Reals(train, test if test else None)
