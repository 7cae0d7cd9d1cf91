"""The probe on codes whose accuracies are known."""

import numpy as np
import pytest

from alae_jax.data.dataset import ArrayDataset
from alae_jax.errors import UserError
from alae_jax.inference import embedding
from alae_jax.metrics import probe


def repeated(rows, labels, times):
  """Codes [N, 2] float32 and labels [N], each so many times."""
  codes = np.repeat(np.asarray(rows, np.float32), times, axis=0)
  return codes, np.repeat(np.asarray(labels), times)


# Clouds left and right, and at (1, 5) a third, which is labelled as the left
# one is. Of the queries the third lies in it, and is labelled otherwise.
CLOUDS = (
  *repeated([[-3, 0], [3, 0], [1, 5]], [0, 1, 0], 100),
  *repeated([[-3, 1], [3, 1], [1, 5.1], [-1, 0]], [0, 1, 1, 0], 1),
)


def test_nearest_neighbours_by_hand():
  codes, labels, queries, answers = CLOUDS
  # The query in the third cloud is the only one that is told wrongly.
  assert probe.nearest_neighbour_accuracy(codes, labels, queries, answers) == (
    pytest.approx(3 / 4)
  )


def test_nearest_means_l2():
  """By L1 the first code would be nearer: 5 against 6."""
  codes = np.array([[5, 0], [3, 3]], np.float32)
  found = probe.nearest_neighbour_accuracy(
    codes, np.array([0, 1]), np.zeros((1, 2), np.float32), np.array([1])
  )
  assert found == 1.0


def test_a_linear_svm_by_hand():
  codes, labels = repeated([[-3, 0], [3, 0]], [0, 1], 100)
  queries = np.array([[-1, 9], [1, -9], [-0.5, 0], [2, 0]], np.float32)
  # The plane is x = 0; the last answer is wrong on purpose.
  found = probe.linear_svm_accuracy(
    codes, labels, queries, np.array([0, 1, 0, 0])
  )
  assert found == pytest.approx(3 / 4)


def test_what_no_plane_parts_is_beyond_the_svm():
  """XOR: every neighbour is right, and a plane gets three corners at most."""
  corners, labels = [[0, 0], [1, 1], [0, 1], [1, 0]], [0, 0, 1, 1]
  codes, many = repeated(corners, labels, 50)
  queries = np.asarray(corners, np.float32) * 0.98 + 0.01
  answers = np.asarray(labels)
  assert probe.nearest_neighbour_accuracy(codes, many, queries, answers) == 1.0
  assert probe.linear_svm_accuracy(codes, many, queries, answers) <= 0.75


class Pixels:
  """A stand-in for a Model: w is the first two pixels, hidden the next two."""

  feature_names = ('hidden',)

  def encode(self, images):
    return images[:, 0, :2, 0].astype(np.float32) / 10

  def features(self, images, name):
    assert name == 'hidden'
    return images[:, 0, 2:4, 0].astype(np.float32) / 10


def dataset(w, hidden, labels):
  """4x4 images whose first row holds both codes, times ten."""
  images = np.zeros((len(labels), 4, 4, 1), np.uint8)
  images[:, 0, :2, 0] = np.rint(np.asarray(w) * 10)
  images[:, 0, 2:, 0] = np.rint(np.asarray(hidden) * 10)
  return ArrayDataset('known', images, np.asarray(labels), num_classes=2)


@pytest.mark.parametrize('at_once', [3, 1000])
def test_the_whole_probe(monkeypatch, at_once):
  """w parts by a plane and not by neighbours; hidden is XOR.

  Seven test images in batches of three: the last batch is filled up, and what
  fills it must not count.
  """
  monkeypatch.setattr(embedding, '_IMAGES_AT_ONCE', at_once)
  w, labels = repeated([[1, 5], [7, 5], [5, 20], [7, 5]], [0, 1, 0, 1], 40)
  hidden, _ = repeated([[0, 0], [1, 0], [1, 1], [0, 1]], [0, 1, 0, 1], 40)
  test_w = [[1, 6], [7, 6], [5.5, 20], [1, 4], [7, 4], [1, 5], [7, 5]]
  answers = [0, 1, 1, 0, 1, 0, 1]
  test_hidden = [[1, 0] if answer else [0, 0] for answer in answers]
  numbers = probe.probe(
    Pixels(),
    dataset(w, hidden, labels),
    dataset(test_w, test_hidden, answers),
  )
  assert numbers['probe/1nn_w'] == pytest.approx(6 / 7)
  assert numbers['probe/1nn_hidden'] == 1.0
  assert numbers['probe/svm_hidden'] < 1.0
  assert (numbers['probe/train_images'], numbers['probe/test_images']) == (
    160,
    7,
  )


def test_codes_come_in_order_and_once(monkeypatch):
  monkeypatch.setattr(embedding, '_IMAGES_AT_ONCE', 4)
  w = np.stack([np.arange(10), np.zeros(10)], axis=1)
  codes, labels = embedding.embed(
    Pixels().encode, dataset(w, w, np.arange(10) % 2)
  )
  np.testing.assert_array_equal(codes[:, 0], np.arange(10))
  np.testing.assert_array_equal(labels, np.arange(10) % 2)


def test_data_without_labels_is_refused():
  images = np.zeros((3, 4, 4, 1), np.uint8)
  unlabelled = ArrayDataset('plain', images)
  with pytest.raises(UserError, match="'plain' has none"):
    probe.probe(Pixels(), unlabelled, unlabelled)
