"""Metrics by name, and what is done with their numbers."""

from collections.abc import Callable, Sequence

from alae_jax.data.datasets import Source, open_source
from alae_jax.errors import UserError
from alae_jax.inference.model import Model
from alae_jax.metrics.probe import check_labels, probe

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


def check_fit(names: Sequence[str], source: Source) -> None:
  """Refuses a metric that cannot be computed on such data.

  Raises:
    UserError: names it.
  """
  if 'probe' in names:
    check_labels(source)


def open_dataset(
  model: Model, split: str, data_dir: str | None = None
) -> Source:
  """The dataset that a model was trained on, at the model's resolution.

  Args:
    model: of a run.
    split: 'train' or 'test'.
    data_dir: where the dataset is now; None for where the config says.

  Raises:
    UserError: the dataset is not there.
  """
  data = model.config.data
  return open_source(
    data.name, data_dir or data.data_dir, split, model.resolution
  )


def evaluate(
  model: Model, names: Sequence[str], data_dir: str | None = None
) -> dict[str, float]:
  """Computes metrics on the dataset that the model was trained on.

  Args:
    model: of a run.
    names: of metrics.
    data_dir: see `open_dataset`.

  Returns:
    Every number by its name.

  Raises:
    UserError: a metric does not exist or does not fit the data.
  """
  check_names(names)
  train, test = (
    open_dataset(model, split, data_dir) for split in ('train', 'test')
  )
  numbers: dict[str, float] = {}
  for name in names:
    numbers |= METRICS[name](model, train, test)
  return numbers


def table(numbers: dict[str, float]) -> str:
  """The numbers, aligned for reading."""
  width = max(map(len, numbers))
  return '\n'.join(
    f'  {name:<{width}}  {value:,}'
    if isinstance(value, int)
    else f'  {name:<{width}}  {value:.4f}'
    for name, value in numbers.items()
  )
