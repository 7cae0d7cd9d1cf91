"""Metrics by name, and what is done with their numbers."""

from collections.abc import Callable, Sequence

from alae_jax.data.sources import Source, open_source
from alae_jax.errors import UserError
from alae_jax.evaluation.probe import probe
from alae_jax.model import Model

# Each takes a model, its training images and its test images.
METRICS: dict[str, Callable[[Model, Source, Source], dict[str, float]]] = {
    'probe': probe,
}


def check_names(names: Sequence[str]) -> None:
  """Refuses a metric that does not exist.

  Raises:
    UserError: names it and those that exist.
  """
  for name in names:
    if name not in METRICS:
      raise UserError(f'no metric {name!r}: there is {", ".join(METRICS)}')


def evaluate(model: Model, names: Sequence[str]) -> dict[str, float]:
  """Computes metrics on the dataset that the model was trained on.

  Args:
    model: of a run.
    names: of metrics.

  Returns:
    Every number by its name.

  Raises:
    UserError: a metric does not exist or does not fit the data.
  """
  check_names(names)
  data = model.config.data
  train, test = (
      open_source(data.name, data.data_dir, split, model.resolution)
      for split in ('train', 'test'))
  numbers: dict[str, float] = {}
  for name in names:
    numbers |= METRICS[name](model, train, test)
  return numbers


def table(numbers: dict[str, float]) -> str:
  """The numbers, aligned for reading."""
  width = max(map(len, numbers))
  return '\n'.join(
      f'  {name:<{width}}  {value:,}' if isinstance(value, int) else
      f'  {name:<{width}}  {value:.4f}' for name, value in numbers.items())
