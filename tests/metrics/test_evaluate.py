import numpy as np
import pytest

from alae_jax.data.dataset import ArrayDataset
from alae_jax.errors import UserError
from alae_jax.metrics.evaluate import check_fit


def make_dataset(labels):
  image = np.zeros((2, 8, 8, 1), np.uint8)
  return ArrayDataset('images', image, *labels)


def test_the_probe_needs_labels_and_test_images():
  labelled, plain = make_dataset([np.zeros(2, int), 1]), make_dataset([])
  check_fit(['probe'], labelled, labelled)
  check_fit([], plain, None)
  with pytest.raises(UserError, match="needs labels, and dataset 'images' has"):
    check_fit(['probe'], plain, plain)
  with pytest.raises(UserError, match="needs test images, and dataset 'images"):
    check_fit(['probe'], labelled, None)
