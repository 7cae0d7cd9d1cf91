"""`alae export`: a trained model in the formats of others."""

import argparse

from alae_jax import progress
from alae_jax.commands import options
from alae_jax.errors import printable
from alae_jax.formats import exporters


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


def run(args: argparse.Namespace) -> None:
  """`alae export`: writes the files, names them and says what they lack."""
  formats = [name.strip() for name in args.format.split(',')]
  exporters.find(formats)
  with progress.telling(f'exporting {printable(args.workdir)}'):
    from alae_jax.commands import programs
    from alae_jax.formats import exporting

    programs.keep()
    export = exporting.export(
      args.workdir,
      formats,
      args.out,
      args.checkpoint,
      args.weights,
      args.overwrite,
    )
  for path in export.paths:
    print(f'wrote {printable(path)}')
  for note in export.notes:
    print(note)
