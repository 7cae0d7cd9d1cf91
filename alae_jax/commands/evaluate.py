"""`alae evaluate`: metrics of a trained model."""

import argparse

from alae_jax import loading, runs
from alae_jax.evaluation import evaluate as evaluate_lib


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae evaluate`."""
  parser.add_argument('workdir', metavar='WORKDIR', help='a run folder')
  parser.add_argument(
      '--metrics', required=True,
      help=f'separated by commas: {", ".join(evaluate_lib.METRICS)}')
  parser.add_argument(
      '--weights', choices=('ema', 'live'),
      help='the moving average or the networks as trained; the config\'s '
      'evaluation.use_ema otherwise')


def run(args: argparse.Namespace) -> None:
  """Prints the numbers and adds them to metrics.jsonl."""
  names = [name.strip() for name in args.metrics.split(',') if name.strip()]
  evaluate_lib.check_names(names)
  loaded = loading.load_run(args.workdir, args.weights)
  numbers = evaluate_lib.evaluate(loaded.model, names)
  runs.append_record(runs.open_folder(args.workdir).metrics, {
      'images_seen': loaded.images_seen, 'step': loaded.step,
      'weights': loaded.weights, **numbers})
  print(f'{args.workdir} after {loaded.images_seen:,} images, '
        f'{loaded.weights} weights')
  print(evaluate_lib.table(numbers))
