"""Small things to measure, and metrics that cost nothing."""

import dataclasses
from collections.abc import Callable

import numpy as np

from alae_jax.data.dataset import ArrayDataset
from alae_jax.metrics import names
from alae_jax.metrics.base import Metric, Result, Settings, Subject
from alae_jax.metrics.crew import Crew


def dataset_of(images, name='images'):
  return ArrayDataset(name, images)


def random_images(count, side=8, channels=1, seed=0):
  rng = np.random.default_rng(seed)
  shape = (count, side, side, channels)
  return dataset_of(rng.integers(0, 256, shape).astype(np.uint8))


def subject_of(model, train, test=None, mesh=None, **settings):
  crew = Crew(mesh or model.mesh)
  return Subject(model, train, test, Settings(**settings), crew)


@dataclasses.dataclass
class _Made(Metric):
  """A metric that a test makes up.

  Attributes:
    name: such as 'codes'.
    function: a subject -> numbers.
  """

  name: str
  function: Callable[[Subject], dict[str, float]]

  def numbers(self, settings):
    return (self.name, f'{self.name}/')

  def compute(self, subject):
    return Result(self.name, self.function(subject), {'images': 0})


def make_metric(monkeypatch, name, function):
  """Has a metric of that name, for this test, be what a function gives."""
  form = name, lambda match: _Made(name, function)
  monkeypatch.setattr(names, '_FORMS', (form, *names._FORMS))
