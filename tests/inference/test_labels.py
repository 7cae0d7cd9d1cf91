"""What is told from what."""

import numpy as np
import pytest

from alae_jax.errors import UserError
from alae_jax.inference import labels
from alae_jax.inference.labels import contrasts


def test_two_values_make_one_contrast_and_three_make_three():
  found = dict(
    contrasts(
      {
        'age': np.array(['10', '9', '10']),
        'hair': np.array(['red', 'fair', 'dark']),
      }
    )
  )
  assert list(found) == ['age', 'hair_dark', 'hair_fair', 'hair_red']
  np.testing.assert_array_equal(found['age'], [True, False, True])


@pytest.mark.parametrize(
  'attributes',
  [
    {'a b': ['0', '1', '0'], 'a_b': ['0', '1', '1']},
    {'a': ['b', 'c', 'd'], 'a_b': ['0', '1', '1']},
    {'a': ['b', '?', '!']},
  ],
)
def test_no_direction_replaces_another(attributes):
  with pytest.raises(UserError, match=r'direction_a_\w*\.npy') as told:
    labels.contrasts(
      {name: np.array(values) for name, values in attributes.items()}
    )
  assert 'rename one of them' in str(told.value)
