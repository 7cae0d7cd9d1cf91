"""Computing metrics of a model, and what stands in a record of them."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from alae_jax.data import datasets
from alae_jax.data.dataset import Dataset
from alae_jax.errors import UserError
from alae_jax.inference.embedding import open_dataset_of
from alae_jax.inference.model import Model
from alae_jax.metrics import names as names_lib
from alae_jax.metrics.base import Result, Settings, Subject
from alae_jax.metrics.crew import Crew


def check(
  names: Sequence[str],
  train: Dataset,
  test: Dataset | None,
  settings: Settings,
) -> None:
  """Refuses metrics that can't be computed on such data.

  Args:
    names: of metrics.
    train: the training images.
    test: the test images, if there are any.
    settings: how they are to be computed.

  Raises:
    UserError: names the metric and what it needs.
  """
  settings.check()
  given: dict[str, str] = {}
  for metric in names_lib.find_all(names):
    metric.check(train, test, settings)
    for number in metric.numbers(settings):
      if number in given:
        raise UserError(
          f'metrics {given[number]} and {metric.name} both give {number} with '
          f'features {settings.features}: choose one'
        )
      given[number] = metric.name


def make_ready(names: Sequence[str], settings: Settings) -> None:
  """Reads, or downloads, the networks that metrics need.

  Raises:
    UserError: one can't be had.
  """
  for metric in names_lib.find_all(names):
    metric.make_ready(settings)


def evaluate(
  model: Model,
  names: Sequence[str],
  settings: Settings,
  train: Dataset,
  test: Dataset | None,
  crew: Crew | None = None,
) -> Iterator[Result]:
  """Computes metrics, one after the other.

  Args:
    model: of a run.
    names: of metrics.
    settings: how.
    train: the images that the model was trained on, at its resolution.
    test: others, if there are any.
    crew: by whom; None for this process alone.

  Yields:
    The result of each.

  Raises:
    UserError: one does not fit the data, or its network can't be had.
    crew.Stopped: the process is to leave.
  """
  metrics = names_lib.find_all(names)
  check(names, train, test, settings)
  make_ready(names, settings)
  subject = Subject(model, train, test, settings, crew or Crew(model.mesh))
  for metric in metrics:
    yield metric.compute(subject)


def open_images(
  model: Model, data_dir: str | None = None
) -> tuple[Dataset, Dataset | None]:
  """The training and test images of a model's dataset, at its resolution.

  Args:
    model: of a run.
    data_dir: see `embedding.open_dataset_of`.

  Raises:
    UserError: the dataset is not there.
  """
  data = model.config.data
  where = data.name, data_dir or data.data_dir
  train = open_dataset_of(model, 'train', data_dir)
  test = None
  if datasets.has_split(*where, 'test', model.resolution):
    test = open_dataset_of(model, 'test', data_dir)
  return train, test if test else None


def record_of(
  result: Result, settings: Settings, model: Model
) -> tuple[dict[str, float], dict[str, Any]]:
  """What a line of metrics.jsonl tells of a result, besides when.

  Args:
    result: of a metric.
    settings: with which it was computed.
    model: of which it was computed.

  Returns:
    The numbers; and all the rest, with None for what is no finite number.
  """
  finite = {
    name: value
    for name, value in result.numbers.items()
    if math.isfinite(value)
  }
  words = {
    'metric': result.metric,
    'weights': model.weights,
    'resolution': model.resolution,
    'protocol': settings.protocol,
    'seed': settings.seed,
    **result.facts,
    **dict.fromkeys(set(result.numbers) - set(finite)),
  }
  return finite, words
