"""The files that a verb was given to read."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from etils import epath

from alae_jax import storage
from alae_jax.commands import options

if TYPE_CHECKING:
  from alae_jax.runs.folder import RunFolder

_POINTS = ('points', 'sources', 'destinations', 'show')  # files among seeds


def files(args: argparse.Namespace) -> Iterator[epath.Path]:
  """Every file that the arguments name, also by a folder or a CSV.

  And the run's own, but for its checkpoints, which no file of a verb is like.
  The copy of a model on the hub is not the user's.

  Raises:
    UserError: there is no such file.
  """
  from alae_jax.inference import labels_file
  from alae_jax.inference.user_images import find_files
  from alae_jax.runs import hub_address
  from alae_jax.runs.folder import RunFolder

  if not hub_address.is_address(args.workdir):
    yield from _of_run(RunFolder(storage.locate(args.workdir)))
  words = list(getattr(args, 'images', ()))
  for name in _POINTS:
    listed = getattr(args, name, None) or ()
    words += [word for word in listed if not options.is_seeds(word)]
  yield from find_files(words)
  if getattr(args, 'direction', None):
    yield storage.locate(args.direction)
  if getattr(args, 'labels', None):
    yield storage.locate(args.labels)
    yield from labels_file.read_csv(args.labels)[0]


def _of_run(folder: 'RunFolder') -> Iterator[epath.Path]:
  yield from (folder.config, folder.metrics, folder.log, folder.owner)
  if folder.path.is_dir():
    yield from folder.path.glob('events.*')
  if folder.pictures.is_dir():
    yield from folder.pictures.iterdir()
