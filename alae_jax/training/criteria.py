"""The numbers by which a run is judged, as its config names them."""

import contextlib
from collections.abc import Iterator

import ml_collections

from alae_jax.errors import UserError
from alae_jax.metrics import evaluate as evaluate_lib
from alae_jax.metrics import names as names_lib
from alae_jax.metrics.base import Metric, Settings
from alae_jax.metrics.probe import Probe, accuracies
from alae_jax.models.networks import build_networks
from alae_jax.training.reals import Reals


def settings_of(config: ml_collections.ConfigDict) -> Settings:
  """How a run's metrics are computed."""
  evaluation = config.evaluation
  return Settings(
    protocol=evaluation.protocol,
    features=evaluation.features,
    seed=config.train.seed,
    real_images=evaluation.real_images or None,
  )


def check_names(config: ml_collections.ConfigDict) -> None:
  """Refuses metrics, protocols, features and numbers that do not exist.

  Raises:
    UserError: names the field.
  """
  evaluation, settings = config.evaluation, settings_of(config)
  with _naming('protocol or config.evaluation.features'):
    settings.check()
  for field in ('at_end', 'metrics'):
    with _naming(field):
      names_lib.find_all(evaluation[field])
  number = evaluation.keep_best
  given = [
    name
    for metric in names_lib.find_all(evaluation.metrics)
    for name in _numbers(metric, config)
  ]
  if number and not any(
    number == name or (name.endswith('/') and number.startswith(name))
    for name in given
  ):
    raise UserError(
      f'config.evaluation.keep_best is {number!r}: config.evaluation.metrics '
      f'give {", ".join(given)}'
    )


def _numbers(
  metric: Metric, config: ml_collections.ConfigDict
) -> tuple[str, ...]:
  """The names of a metric's numbers, of which a checkpoint may be best."""
  if isinstance(metric, Probe):
    return accuracies(('w', *build_networks(config).feature_names))
  return metric.numbers(settings_of(config))


@contextlib.contextmanager
def _naming(field: str) -> Iterator[None]:
  """Begins what is said of a wrong name with the config's field."""
  try:
    yield
  except UserError as error:
    raise UserError(f'config.evaluation.{field}: {error}') from None


def check(config: ml_collections.ConfigDict, reals: Reals) -> None:
  """Refuses metrics that can't be computed on a run's images, at full size.

  Raises:
    UserError: says what one needs.
  """
  evaluate_lib.check(_names(config), *reals.pair, settings_of(config))


def make_ready(config: ml_collections.ConfigDict) -> None:
  """Reads or downloads the networks that the metrics need.

  Weeks later would be a bad time to find that there is no way to.

  Raises:
    UserError: one can't be had.
  """
  evaluate_lib.make_ready(_names(config), settings_of(config))


def _names(config: ml_collections.ConfigDict) -> list[str]:
  evaluation = config.evaluation
  return list(dict.fromkeys((*evaluation.metrics, *evaluation.at_end)))
