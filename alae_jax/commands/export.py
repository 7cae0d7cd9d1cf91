"""`alae export`: a trained model in the formats of others."""

import argparse
from typing import TYPE_CHECKING

from alae_jax import progress
from alae_jax.commands import checks, options
from alae_jax.errors import UserError, printable
from alae_jax.formats import exporters

if TYPE_CHECKING:
  from alae_jax.formats.pushing import Target


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae export`."""
  options.add_run(
    parser,
    'the files, README.md (a model card, with an example for each file) and '
    'preview.png',
  )
  parser.add_argument(
    '--format',
    required=True,
    metavar='FORMATS',
    help='one or several with commas between. '
    + '. '.join(
      f'{name}: {exporter.summary}'
      for name, exporter in exporters.EXPORTERS.items()
    ),
  )
  parser.add_argument(
    '--license',
    metavar='NAME',
    help='of the weights, for the model card: a name of the Hugging Face '
    "hub's list, such as apache-2.0, cc-by-nc-4.0 or other (default: to be "
    'filled in)',
  )
  parser.add_argument(
    '--push',
    type=options.address,
    metavar='hf://USER/NAME',
    help='upload the files to the Hugging Face hub too, in one commit; the '
    'repository is made if need be, and public. --overwrite holds for its '
    'files as well',
  )
  parser.add_argument(
    '--private',
    action='store_true',
    help='make the repository for its owner alone',
  )


def run(args: argparse.Namespace) -> None:
  """`alae export`: writes the files, names them and says what they lack."""
  formats = [name.strip() for name in args.format.split(',')]
  exporters.find(formats)
  if not args.push:
    why = 'is of a repository: give --push too'
    checks.refuse_idle(args, ['--private'], why)
  with progress.telling(f'exporting {printable(args.workdir)}'):
    from alae_jax.formats import exporting
    from alae_jax.inference import programs

    programs.keep()
    target = _prepare(args, formats)
    export = exporting.export(
      args.workdir,
      formats,
      args.out,
      args.checkpoint,
      args.weights,
      args.overwrite,
      args.license,
      args.push,
    )
  for path in export.paths:
    print(f'wrote {printable(path)}')
  for note in export.notes:
    print(note)
  if target:
    _push(target, export.paths, args)


def _prepare(args: argparse.Namespace, formats: list[str]) -> 'Target | None':
  """What is to be pushed to; refuses what would be refused in the end."""
  from alae_jax.formats import model_card

  card = model_card.front(args.license)
  if not args.push:
    return None
  from alae_jax.formats import pushing

  files = exporters.files_of(formats)
  return pushing.prepare(args.push, files, card, args.private, args.overwrite)


def _push(target: 'Target', paths: list[str], args: argparse.Namespace) -> None:
  """Uploads what was written, and says where it is."""
  from alae_jax.formats import pushing

  try:
    address, page = pushing.push(target, paths)
  except UserError as error:
    raise UserError(
      f'{error}; the files in {args.out} are whole: the same command with '
      '--overwrite uploads what is missing'
    ) from error
  print(f'pushed {address}: {page}')
  if not args.license:
    print(
      'The model card names no licence yet: fill it in there, or export with '
      '--license'
    )
