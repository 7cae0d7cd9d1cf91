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
  parser.add_argument(
    '--license',
    metavar='NAME',
    help='of the weights, for the model card: a name of the Hugging Face '
    "hub's list, such as apache-2.0, cc-by-nc-4.0 or other (default: to be "
    'filled in)',
  )


def run(args: argparse.Namespace) -> None:
  """`alae export`: writes the files, names them and says what they lack."""
  formats = [name.strip() for name in args.format.split(',')]
  exporters.find(formats)
  with progress.telling(f'exporting {printable(args.workdir)}'):
    from alae_jax.commands import programs
    from alae_jax.formats import exporting, model_card

    model_card.front(args.license)  # before there is work to lose
    programs.keep()
    export = exporting.export(
      args.workdir,
      formats,
      args.out,
      args.checkpoint,
      args.weights,
      args.overwrite,
      args.license,
    )
  for path in export.paths:
    print(f'wrote {printable(path)}')
  for note in export.notes:
    print(note)
