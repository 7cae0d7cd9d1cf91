"""`alae evaluate`: metrics of a trained model."""

import argparse
from typing import TYPE_CHECKING

from alae_jax import progress
from alae_jax.commands import checks, options
from alae_jax.errors import UserError, printable, reason, tell

if TYPE_CHECKING:
  from alae_jax.inference.loading import LoadedRun
  from alae_jax.runs.folder import RunFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae evaluate`."""
  options.add_workdir(parser)
  parser.add_argument(
    '--metrics',
    required=True,
    help='separated by commas, such as probe',
  )
  options.add_choice(parser)
  options.add_data_dir(parser)


def run(args: argparse.Namespace) -> None:
  """Prints the numbers, then adds them to metrics.jsonl if that can be."""
  with progress.telling('starting'):
    from alae_jax.commands import programs
    from alae_jax.inference import loading
    from alae_jax.metrics import evaluate as evaluate_lib
    from alae_jax.runs.folder import open_folder

  names = _parse_names(args.metrics)
  programs.keep()
  with progress.telling(f'loading {printable(args.workdir)}'):
    loaded = loading.load_run(args.workdir, args.checkpoint, args.weights)
  checks.tell_of_data_dir(loaded.model, args)
  numbers = evaluate_lib.evaluate(loaded.model, names, args.data_dir)
  print(
    f'{printable(args.workdir)} after {loaded.images_seen:,} images, '
    f'{loaded.weights} weights'
  )
  print(evaluate_lib.table(numbers))
  _record(loaded, open_folder(args.workdir), numbers)


def _record(
  loaded: 'LoadedRun', folder: 'RunFolder', numbers: dict[str, float]
) -> None:
  """Adds a record to metrics.jsonl; the numbers are told already.

  So where it can't be written (another's folder, a full disk) a warning will
  do.
  """
  from alae_jax.runs import records

  try:
    records.append(
      folder.metrics,
      {
        'images_seen': loaded.images_seen,
        'step': loaded.step,
        'seconds': records.seconds_trained(folder.metrics, loaded.images_seen),
        'weights': loaded.weights,
        **numbers,
      },
    )
  except OSError as error:
    tell(
      f'warning: these numbers are not recorded: {folder.metrics}: '
      f'{error.strerror or reason(error)}'
    )


def _parse_names(text: str) -> list[str]:
  """'probe,...' -> names of metrics, of which there must be one."""
  from alae_jax.metrics import evaluate as evaluate_lib

  names = [name.strip() for name in text.split(',') if name.strip()]
  if not names:
    raise UserError(
      f'--metrics {text!r} names no metric: there is '
      f'{", ".join(evaluate_lib.METRICS)}'
    )
  for i, name in enumerate(names):
    if name in names[:i]:
      raise UserError(f'--metrics {text!r} names {name!r} twice')
  try:
    evaluate_lib.check_names(names)
  except UserError as error:
    raise UserError(f'--metrics {text!r}: {error}') from None
  return names
