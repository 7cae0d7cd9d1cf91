"""E over many images: the one place where codes of a dataset are computed."""

from collections.abc import Callable

import numpy as np

from alae_jax import progress
from alae_jax.data.dataset import Dataset
from alae_jax.data.datasets import open_dataset
from alae_jax.data.pipeline import evaluation_batches
from alae_jax.inference.model import Model

_IMAGES_AT_ONCE = 1000
_BYTES_AT_ONCE = 256 << 20  # of images on the host


def open_dataset_of(
  model: Model, split: str, data_dir: str | None = None
) -> Dataset:
  """The dataset that a model was trained on, at the model's resolution.

  Args:
    model: of a run.
    split: 'train' or 'test'.
    data_dir: where the dataset is now; None for where the config says.

  Raises:
    UserError: the dataset is not there.
  """
  data = model.config.data
  return open_dataset(
    data.name, data_dir or data.data_dir, split, model.resolution
  )


def embed(
  encode: Callable[[np.ndarray], np.ndarray], dataset: Dataset
) -> tuple[np.ndarray, np.ndarray | None]:
  """Codes of all images of a dataset, in order.

  Args:
    encode: uint8 [N, H, W, C] -> [N, features], as `Model.encode`.
    dataset: not empty.

  Returns:
    Codes [N, features], and labels [N], None where the dataset has none.
  """
  batch_size = min(
    _IMAGES_AT_ONCE, max(1, _BYTES_AT_ONCE // dataset.image_bytes)
  )
  codes, labels = [], []
  batches = evaluation_batches(dataset, batch_size)
  title = f'encoding {dataset.name}, {len(dataset):,} images'
  number = -(-len(dataset) // batch_size)
  for batch in progress.over(batches, title, number, 'batches'):
    mask = batch['mask']
    codes.append(np.asarray(encode(batch['image']))[mask])
    if dataset.has_labels:
      labels.append(batch['label'][mask])
  return np.concatenate(codes), np.concatenate(labels) if labels else None
