"""What a verb writes: pictures, films, arrays and a record of it all."""

import argparse
import dataclasses
import functools
import io
import json
import math
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from etils import epath

from alae_jax import __version__, storage
from alae_jax.commands import given
from alae_jax.errors import UserError, printable
from alae_jax.inference import pictures, video
from alae_jax.inference.sheets import Sheet

if TYPE_CHECKING:
  from alae_jax.inference.loading import LoadedRun

_FILMS = {'gif': video.encode_gif, 'mp4': video.encode_mp4}


class Output:
  """The folder of --out; it holds VERB.json when the verb is done.

  Nothing is replaced unasked, and never what was given: claim every file
  before the work begins.
  """

  def __init__(self, args: argparse.Namespace):
    """Takes the verb's arguments.

    Raises:
      UserError: --out is a file, or VERB.json is there already.
    """
    self._args = args
    self._folder = storage.locate(args.out)
    self._record = f'{args.verb}.json'
    self._files: list[str] = []
    if self._folder.exists() and not self._folder.is_dir():
      raise UserError(f'--out {args.out} is a file: name a folder')
    storage.require_folder(self._folder)
    self.claim([self._record])

  def claim(self, names: Iterable[str]) -> None:
    """Refuses to go on where a file would be replaced unasked.

    Or where it is one that the verb was given, whatever was asked.

    Raises:
      UserError: names the file.
    """
    if not self._folder.exists():
      return
    there = {path.name for path in self._folder.iterdir()}
    for name in names:
      path = self._folder / name
      if name in there and not self._args.overwrite:
        raise UserError(
          f'{path} is there already: give another --out, or --overwrite'
        )
      if name in there and _identity(path) in self._given:
        raise UserError(
          f'{path} would be replaced, and this command reads it: give another '
          '--out'
        )

  @functools.cached_property
  def _given(self) -> set[Any]:
    """What no file may replace, even with --overwrite."""
    return {_identity(path) for path in given.files(self._args)}

  def write_image(self, name: str, image: np.ndarray) -> None:
    """Writes uint8 [H, W, C] as PNG, pixel by pixel."""
    self._folder.mkdir(parents=True, exist_ok=True)
    pictures.write_png(self._folder / name, image)
    self._files.append(name)

  def write_sheet(self, name: str, images: np.ndarray, sheet: Sheet) -> None:
    """Writes uint8 [N, H, W, C] as one PNG, small images enlarged."""
    self.write_image(name, sheet.draw(images))

  def write_films(self, stem: str, frames: Sequence[np.ndarray]) -> None:
    """Writes grids uint8 [H, W, C] as the films that --format asks for."""
    for kind in self._args.format:
      if kind in _FILMS:
        film = video.there_and_back(frames)
        self._write(f'{stem}.{kind}', _FILMS[kind](film, self._args.rate))

  def write_array(self, name: str, array: np.ndarray) -> None:
    """Writes an array as NPY."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    self._write(name, buffer.getvalue())

  def finish(self, loaded: 'LoadedRun', **facts: Any) -> None:
    """Writes VERB.json and says what there is.

    Args:
      loaded: the model that was used.
      **facts: what else is to be told; floats that are not finite become
        null.
    """
    record = {
      'command': self._args.verb,
      'alae_jax': __version__,
      **({'address': loaded.model.address} if loaded.model.address else {}),
      'images_seen': loaded.images_seen,
      'weights': loaded.weights,
      'resolution': loaded.model.resolution,
      'arguments': {
        name: _plain(value)
        for name, value in sorted(vars(self._args).items())
        if name not in ('verb', 'checkpoint', 'weights', 'given')
      },
      **{name: _plain(value) for name, value in facts.items()},
      'files': self._files,
    }
    text = json.dumps(record, indent=2, allow_nan=False) + '\n'
    self._write(self._record, text.encode())
    print(f'wrote {len(self._files)} files to {printable(str(self._folder))}')

  def _write(self, name: str, content: bytes) -> None:
    self._folder.mkdir(parents=True, exist_ok=True)
    storage.write_whole(self._folder / name, content)
    self._files.append(name)


def _identity(path: epath.Path) -> Any:
  """The same for every name of a file: links, hard links and a/../b."""
  try:
    stat = os.stat(path)
  except (OSError, ValueError):  # in a bucket a file has one name
    return os.fspath(path)
  return stat.st_dev, stat.st_ino


def _plain(value: Any) -> Any:
  """What JSON can hold."""
  if dataclasses.is_dataclass(value) and not isinstance(value, type):
    return value.name  # type: ignore[attr-defined]
  if isinstance(value, dict):
    return {key: _plain(item) for key, item in value.items()}
  if isinstance(value, list | tuple | np.ndarray):
    return [_plain(item) for item in value]
  if isinstance(value, float | np.floating):
    return float(value) if math.isfinite(value) else None
  return int(value) if isinstance(value, np.integer) else value
