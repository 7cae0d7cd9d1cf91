"""What is refused before the work begins: asked for in vain, or too much."""

import argparse
import math
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from etils import epath

from alae_jax.commands import options
from alae_jax.errors import UserError, tell
from alae_jax.inference import pictures
from alae_jax.inference.sheets import Sheet

if TYPE_CHECKING:
  from alae_jax.inference.model import Model

# Pillow takes more for a bomb, and so does `alae reconstruct`.
MOST_PIXELS = 178_956_970
# Of all frames of a film: 3 GB in RGB, held in memory.
MOST_FILM_PIXELS = 2**30


def refuse_idle(
  args: argparse.Namespace, flags: Iterable[str], why: str
) -> None:
  """Refuses options that were given and would change nothing.

  Args:
    args: of a verb; `given` holds the options that the user typed.
    flags: such as '--rate'.
    why: said after the option.

  Raises:
    UserError: names the first of them.
  """
  for flag in flags:
    if flag in args.given:
      raise UserError(f'{flag} {why}')


def check_truncation(
  args: argparse.Namespace, points: Collection[int | epath.Path] = (0,)
) -> None:
  """Refuses --truncation and --cutoff where there is nothing to truncate."""
  if all(not isinstance(point, int) for point in points):
    why = 'is for seeds, and every point is an image'
    refuse_idle(args, ['--truncation', '--cutoff'], why)
  if args.truncation == 1:
    why = 'does nothing at --truncation 1: give another'
    refuse_idle(args, ['--cutoff'], why)


def check_film(args: argparse.Namespace) -> None:
  """Refuses a --rate that a format of --format can't have.

  Raises:
    UserError: likewise where there is no film, or ffmpeg is missing for MP4.
  """
  films = [kind for kind in args.format if kind in options.RATES]
  if not films:
    refuse_idle(args, ['--rate'], 'is for films: give --format gif or mp4')
  for kind in films:
    least, most = options.RATES[kind]
    if not least <= args.rate <= most:
      raise UserError(
        f'--rate {args.rate:g}: {kind} shows {least:g} to {most:g} images a '
        'second'
      )
  if 'mp4' in films:
    from alae_jax.inference import video

    video.require_video()


def check_images(count: int) -> None:
  """Refuses more images than are held in memory at once.

  Raises:
    UserError: says how many they may be.
  """
  if count > options.MOST_IMAGES:
    raise UserError(
      f'{count:,} images in one picture or film: ask for at most '
      f'{options.MOST_IMAGES:,}'
    )


def check_picture(model: 'Model', count: int, sheet: Sheet) -> None:
  """Refuses a sheet of so many images that viewers don't open.

  Raises:
    UserError: says how many pixels it would have.
  """
  check_images(count)
  pixels = math.prod(sheet.layout(count, model.resolution).shape)
  if pixels > MOST_PIXELS:
    raise UserError(
      f'a picture of {count:,} images would have {pixels:,} pixels, and '
      f'viewers open {MOST_PIXELS:,}: ask for fewer'
    )


def check_frames(model: 'Model', frames: int, images: int = 1) -> None:
  """Refuses a film that memory won't hold.

  Args:
    model: whose images it shows.
    frames: of the film.
    images: in each frame.

  Raises:
    UserError: says how many pixels it would have.
  """
  pixels = frames * images * pictures.cell_side(model.resolution) ** 2
  if pixels > MOST_FILM_PIXELS:
    raise UserError(
      f'a film of {frames:,} frames would have {pixels:,} pixels, at most '
      f'{MOST_FILM_PIXELS:,}: ask for fewer --steps or points'
    )


def tell_of_data_dir(model: 'Model', args: argparse.Namespace) -> None:
  """Warns where --data_dir was given and the dataset is in no folder."""
  from alae_jax.data.datasets import DIGITS

  name = model.config.data.name
  if '--data_dir' in args.given and name == DIGITS:
    tell(f'warning: --data_dir is not read: dataset {name!r} is built in')


def tell_of_noise(model: 'Model', args: argparse.Namespace) -> None:
  """Warns where --noise was given and the model has none."""
  if '--noise' in args.given and model.active_layers < 2:
    tell(f'warning: --noise {args.noise}: the model has no noise')
