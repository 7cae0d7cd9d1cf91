"""Arguments that several verbs share, and how their values are read."""

import argparse
import re

from etils import epath

from alae_jax.errors import UserError
from alae_jax.inference.choices import NOISES, Layers, parse_layers

_LAST_SEED = 2**32 - 1
FORMATS = ('png', 'gif', 'mp4')


def add_run(parser: argparse.ArgumentParser, writes: str) -> None:
  """WORKDIR, --weights, --out and --overwrite."""
  parser.add_argument('workdir', metavar='WORKDIR', help='a run folder')
  parser.add_argument(
    '--out', required=True, metavar='DIR', help=f'folder for {writes}'
  )
  parser.add_argument(
    '--overwrite',
    action='store_true',
    help='replace files that are there already',
  )
  add_weights(parser)


def add_weights(parser: argparse.ArgumentParser) -> None:
  """--weights."""
  parser.add_argument(
    '--weights',
    choices=('ema', 'live'),
    help="the moving average or the networks as trained; the config's "
    'evaluation.use_ema otherwise',
  )


def add_data_dir(parser: argparse.ArgumentParser) -> None:
  """--data_dir."""
  parser.add_argument(
    '--data_dir',
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
    type=number,
    default=1.0,
    metavar='PSI',
    help='draw the latents of seeds towards their mean: 1 not at all, 0 '
    'onto it (default: 1)',
  )
  parser.add_argument(
    '--cutoff',
    type=int,
    metavar='LAYER',
    help='truncate the layers below this one only (default: all)',
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
    help='of gif and mp4, images a second (default: 10)',
  )


def seeds(text: str) -> list[int]:
  """'0-3,40' -> [0, 1, 2, 3, 40]; none twice."""
  found: dict[int, None] = {}
  for part in text.split(','):
    match = re.fullmatch(r'(\d+)(?:-(\d+))?', part.strip())
    first, last = (
      (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    )
    if not first <= last <= _LAST_SEED:
      raise argparse.ArgumentTypeError(
        f'{text!r} are not seeds such as 0-15,40'
      )
    found.update(dict.fromkeys(range(first, last + 1)))
  return list(found)


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
  return [layers(part.strip()) for part in text.split(',')]


def span(text: str) -> tuple[float, float]:
  """'-3,3' -> (-3.0, 3.0)."""
  parts = text.split(',')
  if len(parts) != 2:
    raise argparse.ArgumentTypeError(f'{text!r} is not a range such as -3,3')
  return number(parts[0]), number(parts[1])


def formats(text: str) -> tuple[str, ...]:
  """'png,gif' -> ('png', 'gif')."""
  names = tuple(part.strip() for part in text.split(','))
  for name in names:
    if name not in FORMATS:
      raise argparse.ArgumentTypeError(
        f'{name!r} is none of {", ".join(FORMATS)}'
      )
  return names


def check_formats(names: tuple[str, ...]) -> None:
  """Refuses MP4 before any work is done, where ffmpeg is missing."""
  if 'mp4' in names:
    from alae_jax.inference import video

    video.require_video()


def number(text: str) -> float:
  """A finite float."""
  try:
    value = float(text)
  except ValueError:
    value = float('nan')
  if not abs(value) < float('inf'):
    raise argparse.ArgumentTypeError(f'{text!r} is not a number')
  return value


def positive(text: str) -> float:
  """A number above 0."""
  value = number(text)
  if value <= 0:
    raise argparse.ArgumentTypeError(f'{text} is not above 0')
  return value


def several(text: str) -> int:
  """A whole number of 2 or more."""
  if not text.isdecimal() or int(text) < 2:
    raise argparse.ArgumentTypeError(f'{text!r} is not a whole number above 1')
  return int(text)


def count(text: str) -> int:
  """A whole number of 1 or more."""
  if not text.isdecimal() or int(text) < 1:
    raise argparse.ArgumentTypeError(f'{text!r} is not a whole number above 0')
  return int(text)
