"""Metrics by name, and what is done with their numbers."""

from collections.abc import Callable, Sequence

from alae_jax.data.dataset import Dataset
from alae_jax.errors import UserError
from alae_jax.inference.embedding import open_dataset_of
from alae_jax.inference.model import Model
from alae_jax.metrics.probe import check_labels, probe

# Each takes a model, its training images and its test images.
METRICS: dict[str, Callable[[Model, Dataset, Dataset], dict[str, float]]] = {
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


def check_fit(
  names: Sequence[str], train: Dataset, test: Dataset | None
) -> None:
  """Refuses a metric that cannot be computed on such data.

  Args:
    names: of metrics.
    train: the training images.
    test: the test images, if there are any.

  Raises:
    UserError: names it.
  """
  if 'probe' in names:
    check_labels(train)
    if test is None:
      raise UserError(
        f"the probe needs test images, and dataset '{train.name}' has none"
      )


def evaluate(
  model: Model, names: Sequence[str], data_dir: str | None = None
) -> dict[str, float]:
  """Computes metrics on the dataset that the model was trained on.

  Args:
    model: of a run.
    names: of metrics.
    data_dir: see `embedding.open_dataset_of`.

  Returns:
    Every number by its name.

  Raises:
    UserError: a metric does not exist or does not fit the data.
  """
  check_names(names)
  train, test = (
    open_dataset_of(model, split, data_dir) for split in ('train', 'test')
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
