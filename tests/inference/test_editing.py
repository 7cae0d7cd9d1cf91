"""Edits in w, by hand."""

import numpy as np

from alae_jax.inference import editing


def test_mixing_takes_layers_of_the_sources():
  sources = np.full((2, 6, 1), 1.0) * [[[1]], [[2]]]
  destinations = np.full((1, 6, 1), 9.0)
  mixed = editing.mixtures(sources, destinations, 2, 4)[..., 0]
  np.testing.assert_array_equal(mixed, [[9, 9, 1, 1, 9, 9], [9, 9, 2, 2, 9, 9]])


def test_a_traversal_moves_some_layers():
  moved = editing.moved(
    np.zeros((2, 3, 1)), np.array([[5.0]]), np.array([-1.0, 2.0]), 1, 2
  )[..., 0]
  np.testing.assert_array_equal(
    moved, [[0, -5, 0], [0, 10, 0], [0, -5, 0], [0, 10, 0]]
  )
