"""Arguments that several verbs share, and how their values are read."""

import argparse
import re

from etils import epath

from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.inference.choices import NOISES, Layers, parse_layers
from alae_jax.runs import hub_address

_LAST_SEED = 2**32 - 1
FORMATS = ('png', 'gif', 'mp4')

# A file each: a folder with more no viewer opens.
MOST_SEEDS = 1_000_000
# All are held in memory, and at ten a second they are a quarter of an hour.
MOST_IMAGES = 10_000
# G has seen nothing like w ten times as far out, and its sums stay finite.
_MOST_PSI = 100.0
_MOST_LENGTHS = 1e6

# Images a second. A GIF counts hundredths of a second in 16 bits, and viewers
# take less than two of them for ten; no screen shows more than MP4's.
RATES = {'gif': (0.002, 50.0), 'mp4': (0.01, 1000.0)}


def add_run(parser: argparse.ArgumentParser, writes: str) -> None:
  """WORKDIR, --checkpoint, --weights, --out and --overwrite."""
  add_workdir(parser)
  parser.add_argument(
    '--out',
    required=True,
    type=path,
    metavar='DIR',
    help=f'folder for {writes}',
  )
  parser.add_argument(
    '--overwrite',
    action='store_true',
    help='replace files that are there already',
  )
  add_choice(parser)


def add_workdir(parser: argparse.ArgumentParser) -> None:
  """WORKDIR."""
  parser.add_argument(
    'workdir',
    type=run,
    metavar='WORKDIR',
    help='a run folder, or one that `alae export` wrote, or such a one on the '
    'Hugging Face hub: hf://USER/NAME or hf://USER/NAME@REVISION',
  )


def add_choice(parser: argparse.ArgumentParser) -> None:
  """--checkpoint and --weights: which of a run's networks."""
  add_checkpoint(parser)
  parser.add_argument(
    '--weights',
    choices=('ema', 'live'),
    help="the moving average or the networks as trained; the config's "
    'evaluation.use_ema otherwise',
  )


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
  """--checkpoint."""
  parser.add_argument(
    '--checkpoint',
    type=checkpoint,
    metavar='best|IMAGES_SEEN',
    help='a folder in checkpoints/, by its number, or the one that '
    'evaluation.keep_best has kept (default: the newest)',
  )


def add_data_dir(parser: argparse.ArgumentParser) -> None:
  """--data_dir."""
  parser.add_argument(
    '--data_dir',
    type=path,
    metavar='DIR',
    help='where the dataset that the model was trained on is now (default: '
    "the config's data.data_dir)",
  )


def add_noise(parser: argparse.ArgumentParser, default: str) -> None:
  """--noise."""
  parser.add_argument(
    '--noise',
    choices=NOISES,
    default=default,
    help='of a StyleALAE: drawn for each image, the same for all images, or '
    f'the deterministic mode (default: {default})',
  )


def add_truncation(parser: argparse.ArgumentParser) -> None:
  """--truncation and --cutoff, which hold for seeds."""
  parser.add_argument(
    '--truncation',
    type=psi,
    default=1.0,
    metavar='PSI',
    help='draw the latents of seeds towards their mean: 1 not at all, 0 '
    'onto it (default: 1)',
  )
  parser.add_argument(
    '--cutoff',
    type=layer,
    metavar='LAYER',
    help='truncate the layers below this one only, of those that the run has '
    'grown to so far (default: all)',
  )


def add_film(parser: argparse.ArgumentParser, steps: int) -> None:
  """--steps, --format and --rate."""
  parser.add_argument(
    '--steps',
    type=several,
    default=steps,
    help=f'images from end to end (default: {steps})',
  )
  parser.add_argument(
    '--format',
    type=formats,
    default=('png',),
    metavar='FORMATS',
    help='png (a grid), gif, mp4, or several with commas between; gif and '
    'mp4 run there and back (default: png)',
  )
  parser.add_argument(
    '--rate',
    type=positive,
    default=10.0,
    help='of gif (at most 50) and mp4, images a second (default: 10)',
  )


def path(text: str) -> str:
  """A path, as it is; what can be none is refused."""
  try:
    storage.expand(text)
  except UserError as error:
    raise argparse.ArgumentTypeError(str(error)) from None
  return text


def run(text: str) -> str:
  """A path or an address on the hub, as it is."""
  return address(text) if hub_address.is_address(text) else path(text)


def address(text: str) -> str:
  """An address on the hub, as it is; what can be none is refused."""
  try:
    hub_address.parse(text)
  except UserError as error:
    raise argparse.ArgumentTypeError(str(error)) from None
  return text


def point(text: str) -> str:
  """Seeds or a path, as they are; see `points.parse_points`."""
  return text if re.fullmatch(r'[\d,-]+', text) else path(text)


def seed(text: str) -> int:
  """A single seed."""
  return _whole(text, 0, _LAST_SEED)


def seeds(text: str) -> list[int]:
  """'0-3,40' -> [0, 1, 2, 3, 40]; none twice."""
  found: dict[int, None] = {}
  for part in text.split(','):
    match = re.fullmatch(r'(\d{1,10})(?:-(\d{1,10}))?', part.strip())
    first, last = (
      (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    )
    if not first <= last <= _LAST_SEED:
      raise argparse.ArgumentTypeError(
        f'{text!r} are not seeds such as 0-15,40, of 0 to {_LAST_SEED}'
      )
    if len(found) + last - first >= MOST_SEEDS:
      raise argparse.ArgumentTypeError(
        f'{text!r} are more seeds than one call makes images of, {MOST_SEEDS:,}'
      )
    found.update(dict.fromkeys(range(first, last + 1)))
  return list(found)


def distinct_seeds(text: str) -> list[int]:
  """Likewise, of which none may be named twice: each makes a file."""
  all_of_them = seeds(text)
  found: set[int] = set()
  for part in text.split(','):
    again = found.intersection(seeds(part))
    if again:
      raise argparse.ArgumentTypeError(f'{text!r} names {min(again)} twice')
    found.update(seeds(part))
  return all_of_them


def is_seeds(text: str) -> bool:
  """Whether a word can only mean seeds, and no file.

  Raises:
    UserError: it means seeds, and there is such a file.
  """
  if not re.fullmatch(r'[\d,-]+', text):
    return False
  if epath.Path(text).exists():
    raise UserError(
      f'{text} is a file or folder here: write ./{text} for it, '
      f'or {text},{text} for seeds'
    )
  return True


def layers(text: str) -> Layers:
  """'coarse', 'middle', 'fine', '3' or '2-5' -> Layers."""
  try:
    return parse_layers(text)
  except UserError as error:
    raise argparse.ArgumentTypeError(str(error)) from None


def groups(text: str) -> list[Layers]:
  """'coarse,4-5' -> Layers of each."""
  return [layers(part) for part in _names(text)]


def span(text: str) -> tuple[float, float]:
  """'-3,3' -> (-3.0, 3.0)."""
  parts = text.split(',')
  if len(parts) != 2:
    raise argparse.ArgumentTypeError(f'{text!r} is not a range such as -3,3')
  low, high = (_within(part, -_MOST_LENGTHS, _MOST_LENGTHS) for part in parts)
  return low, high


def formats(text: str) -> tuple[str, ...]:
  """'png,gif' -> ('png', 'gif')."""
  names = _names(text)
  for name in names:
    if name not in FORMATS:
      raise argparse.ArgumentTypeError(
        f'{name!r} is none of {", ".join(FORMATS)}'
      )
  return names


def psi(text: str) -> float:
  """A number that truncation can be done with."""
  return _within(text, -_MOST_PSI, _MOST_PSI)


def positive(text: str) -> float:
  """A number above 0."""
  value = _number(text)
  if value <= 0:
    raise argparse.ArgumentTypeError(f'{text} is not above 0')
  return value


def layer(text: str) -> int:
  """A whole number of 0 or more."""
  return _whole(text, 0, 1000)


def checkpoint(text: str) -> int | str:
  """'best', or a whole number of 0 or more, by which a checkpoint is named."""
  return text if text == 'best' else _whole(text, 0, 10**15)


def several(text: str) -> int:
  """A whole number of 2 or more."""
  return _whole(text, 2, MOST_IMAGES)


def count(text: str) -> int:
  """A whole number of 1 or more."""
  return _whole(text, 1, MOST_IMAGES)


def samples(text: str) -> int:
  """How many latents: 2 or more; 1,000,000 of 512 numbers are 2 GB."""
  return _whole(text, 2, 1_000_000)


def _whole(text: str, least: int, most: int) -> int:
  if not re.fullmatch(r'\d+', text):
    raise argparse.ArgumentTypeError(f'{text!r} is not a whole number')
  if len(text) > 20 or not least <= int(text) <= most:
    raise argparse.ArgumentTypeError(
      f'{text!r} is not a whole number from {least} to {most:,}'
    )
  return int(text)


def _within(text: str, least: float, most: float) -> float:
  value = _number(text)
  if not least <= value <= most:
    raise argparse.ArgumentTypeError(
      f'{text!r} is not between {least:,g} and {most:,g}'
    )
  return value


def _number(text: str) -> float:
  """A finite float."""
  try:
    value = float(text)
  except ValueError:
    value = float('nan')
  if not abs(value) < float('inf'):
    raise argparse.ArgumentTypeError(f'{text!r} is not a number')
  return value


def _names(text: str) -> tuple[str, ...]:
  """'a, b' -> ('a', 'b'); none twice."""
  names = tuple(part.strip() for part in text.split(','))
  for i, name in enumerate(names):
    if name in names[:i]:
      raise argparse.ArgumentTypeError(f'{text!r} names {name!r} twice')
  return names
