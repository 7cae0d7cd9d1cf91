"""`alae evaluate`: metrics of trained models, beside one another."""

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from alae_jax import progress
from alae_jax.commands import checks, options
from alae_jax.errors import UserError, printable, reason, tell

if TYPE_CHECKING:
  from alae_jax.data.dataset import Dataset
  from alae_jax.inference.loading import LoadedRun
  from alae_jax.metrics.base import Result, Settings
  from alae_jax.metrics.reports import Measured


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae evaluate`."""
  parser.add_argument(
    'workdirs',
    nargs='+',
    type=options.run,
    metavar='WORKDIR',
    help='run folders or models on the hub (hf://USER/NAME), a column each',
  )
  parser.add_argument(
    '--metrics',
    required=True,
    help='with commas between: fid50k, fid50k_rec, kid50k, pr50k3, ppl_w_end '
    '(z for w, full for end; _crop after it leaves the middle of a face), '
    'lpips_rec, rec, probe; the numbers may be others, as in fid5k',
  )
  parser.add_argument(
    '--protocol',
    default='stylegan',
    help='whose conventions: stylegan, pytorch-fid or alae-release (default: '
    'stylegan)',
  )
  parser.add_argument(
    '--features',
    default='inception',
    metavar='FEATURES',
    help='what images are compared by: inception, and without a download '
    'random, pixels or probe:RUN, whose distances have names of their own '
    '(default: inception)',
  )
  parser.add_argument(
    '--split',
    choices=('train', 'test'),
    help="which images are reconstructed (default: the protocol's; test, but "
    'for alae-release)',
  )
  parser.add_argument(
    '--real_images',
    type=options.samples,
    metavar='COUNT',
    help='of the training images, at most so many for fid (default: all)',
  )
  parser.add_argument(
    '--truncation',
    type=options.psi,
    default=1.0,
    metavar='PSI',
    help='of generated images: 1 not at all (default: 1)',
  )
  parser.add_argument(
    '--seed',
    type=options.seed,
    default=0,
    help='of latents and noise (default: 0)',
  )
  parser.add_argument(
    '--format',
    choices=('text', 'json', 'markdown'),
    default='text',
    help='of the table (default: text)',
  )
  parser.add_argument(
    '--published',
    action='store_true',
    help="show the paper's numbers of the same dataset beside ours",
  )
  options.add_choice(parser)
  options.add_data_dir(parser)


def run(args: argparse.Namespace) -> None:
  """Evaluates run by run, records each number, and prints them all."""
  with progress.telling('starting'):
    from alae_jax.inference import programs
    from alae_jax.metrics import published as published_lib
    from alae_jax.metrics import reports
    from alae_jax.metrics.base import Settings
    from alae_jax.runs.folder import open_folder

  names = _parse_names(args.metrics)
  settings = Settings(
    args.protocol,
    args.features,
    args.seed,
    args.truncation,
    args.split,
    args.real_images,
  )
  settings.check()
  folders = [open_folder(workdir) for workdir in args.workdirs]
  programs.keep()
  measured: list[Measured] = []
  published: dict[published_lib.Published, None] = {}
  try:
    for folder in folders:
      with progress.telling(f'loading {printable(folder.name)}'):
        loaded = _load(folder.name, args)
      _evaluate(loaded, names, settings, args, measured)
      data, side = loaded.model.config.data.name, loaded.model.resolution
      published |= dict.fromkeys(
        published_lib.beside(data, side, list(measured[-1].numbers))
      )
  finally:  # what is there when something later fails is told too
    measured = [one for one in measured if one.records]
    if measured:
      shown = list(published) if args.published else []
      print(reports.report(measured, shown, args.format))
  if args.published and not published:
    tell('no numbers of these metrics are published for this dataset and size')


def _load(workdir: str, args: argparse.Namespace) -> 'LoadedRun':
  from alae_jax.inference import loading

  loaded = loading.load_run(workdir, args.checkpoint, args.weights)
  checks.tell_of_data_dir(loaded.model, args)
  return loaded


def _evaluate(
  loaded: 'LoadedRun',
  names: list[str],
  settings: 'Settings',
  args: argparse.Namespace,
  measured: list['Measured'],
) -> None:
  """Computes and records the metrics of a run.

  Args:
    loaded: the run.
    names: of the metrics.
    settings: how.
    args: of the command.
    measured: to which the run is added, with what there is so far.
  """
  from alae_jax.metrics import evaluate as evaluate_lib
  from alae_jax.metrics import reports
  from alae_jax.metrics.base import of_split

  if loaded.folder.address:
    tell(f'{loaded.folder.name} is on the hub: its numbers are not recorded')
  train, test = evaluate_lib.open_images(loaded.model, args.data_dir)
  found: list[dict[str, Any]] = []
  numbers: dict[str, float | None] = {}
  measured.append(
    reports.Measured(
      printable(loaded.folder.name),
      f'{loaded.images_seen:,} images, {loaded.weights}',
      found,
      numbers,
    )
  )
  for result in evaluate_lib.evaluate(
    loaded.model, names, settings, train, test
  ):
    finite, words = evaluate_lib.record_of(result, settings, loaded.model)
    record = {'images_seen': loaded.images_seen, **words, **finite}
    _record(loaded, record)
    found.append(record)
    numbers |= {name: record[name] for name in result.numbers}
    if result.values is not None:
      images = of_split(settings.reconstructs, train, test)
      _draw(loaded, images, result, settings.seed)


def _draw(
  loaded: 'LoadedRun', images: 'Dataset', result: 'Result', seed: int
) -> None:
  """Writes the picture of a metric that ranks images to the run's others."""
  from alae_jax.inference import pictures
  from alae_jax.metrics import ranking

  folder = loaded.folder
  if folder.address:  # its copy is the cache's
    return
  name = f'{result.metric}_ranked_{loaded.images_seen:09d}.png'
  drawn = ranking.picture(loaded.model, images, result, seed)
  with _forgiven(f'{name} is not drawn'):
    folder.pictures.mkdir(exist_ok=True)  # an exported model has none
    pictures.write_png(folder.pictures / name, drawn)


def _record(loaded: 'LoadedRun', record: dict[str, Any]) -> None:
  """Adds a line to metrics.jsonl; the numbers are told in any case."""
  from alae_jax.runs import records

  folder = loaded.folder
  if folder.address:
    return
  with _forgiven('a number is not recorded'):
    when = {
      'step': loaded.step,
      'seconds': records.seconds_trained(folder.metrics, loaded.images_seen),
    }
    records.append(folder.metrics, record | when)


@contextlib.contextmanager
def _forgiven(what: str) -> Iterator[None]:
  """A warning where a run's folder can't be written: it may be another's."""
  try:
    yield
  except OSError as error:
    where = f'{error.filename}: ' if error.filename is not None else ''
    tell(f'warning: {what}: {where}{error.strerror or reason(error)}')


def _parse_names(text: str) -> list[str]:
  """'probe,...' -> names of metrics, of which there must be one."""
  from alae_jax.metrics import names as names_lib

  names = [name.strip() for name in text.split(',') if name.strip()]
  if not names:
    raise UserError(
      f'--metrics {text!r} names no metric: there is '
      f'{", ".join(names_lib.METRICS)}'
    )
  for i, name in enumerate(names):
    if name in names[:i]:
      raise UserError(f'--metrics {text!r} names {name!r} twice')
  try:
    names_lib.find_all(names)
  except UserError as error:
    raise UserError(f'--metrics {text!r}: {error}') from None
  return names
