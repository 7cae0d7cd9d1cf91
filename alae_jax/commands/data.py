"""`alae data`: what datasets are there, and whether they are whole."""

import argparse
from typing import TYPE_CHECKING

from alae_jax import progress
from alae_jax.commands import options
from alae_jax.errors import Failure, UserError, printable, tell

if TYPE_CHECKING:
  from collections.abc import Mapping, Sequence

  from alae_jax.data.inventory import Level

_SHEET = 'sheet.png'
_COLUMNS = 8
_EXAMPLES = 3 * _COLUMNS  # of each split
_LARGEST_SHOWN = 128
_FEW_CLASSES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae data`."""
  add = parser.add_argument
  add('data_dir', type=options.path, metavar='DIR', help='with datasets in it')
  add(
    '--check',
    action='store_true',
    help='read every file whole, and compare its checksum',
  )


def run(args: argparse.Namespace) -> None:
  """Prints a line for each level of each dataset, and draws a sheet of each."""
  with progress.telling('starting'):
    from alae_jax.data import inventory

  found = inventory.find(args.data_dir)
  if not found:
    raise UserError(
      f'data_dir {args.data_dir} holds no datasets: alae prepare makes some'
    )
  faults = []
  for name, levels in found.items():
    print('\n'.join(_describe(name, levels)))
    for level in levels:
      wrong = inventory.check(level) if args.check else [level.fault]
      faults += [fault for fault in wrong if fault]
    _draw(name, levels)
  for fault in faults:
    tell(fault)
  if faults:
    raise Failure(f'{len(faults)} faults were found')
  if args.check:
    print(f'checked: {_tell_checked(found)}')


def _describe(name: str, levels: 'Sequence[Level]') -> list[str]:
  """The lines about one dataset."""
  first = levels[0]
  lines = [name]
  if first.fingerprint:
    lines[0] += f' ({first.fingerprint[:12]})'
  if first.classes:
    names = ', '.join(map(str, first.classes[:_FEW_CLASSES]))
    more = ', ...' if len(first.classes) > _FEW_CLASSES else ''
    lines[0] += printable(f': {len(first.classes)} classes, {names}{more}', 200)
  for level in levels:
    place = printable(f'{level.directory.parent.name}/{level.directory.name}')
    if level.fault:
      lines.append(f'  {place:16} damaged')
      continue
    size = f'{level.side}x{level.side}' if level.side else 'many sizes'
    channels = {1: 'grey', 3: 'RGB'}.get(level.shape[2] or 0, '')
    counts = ', '.join(f'{n:,} {split}' for split, n in level.counts.items())
    lines.append(
      f'  {place:16} {size:>10} {channels:4} {level.bytes / 1e6:11,.1f} MB  '
      f'{counts}'
    )
  return lines


def _draw(name: str, levels: 'Sequence[Level]') -> None:
  """Writes a sheet of a dataset's first images into its folder, if it may."""
  import numpy as np

  from alae_jax.data import inventory
  from alae_jax.inference import pictures
  from alae_jax.inference.sheets import Sheet

  shown = [level for level in levels if 0 < level.side <= _LARGEST_SHOWN]
  if not shown:
    return
  level = max(shown, key=lambda level: level.side)
  folder = level.directory.parent
  folder = folder.parent if folder.name != name else folder
  try:
    rows: list[tuple[str]] = []
    images: list[np.ndarray] = []
    for split, examples in inventory.examples(level, _EXAMPLES).items():
      examples = examples[: -(len(examples) % _COLUMNS) or None]
      rows += [(split,)] * (len(examples) // _COLUMNS)
      images.extend(examples)
    if images:
      sheet = Sheet(_COLUMNS, rows=rows).draw(np.stack(images))
      pictures.write_png(folder / _SHEET, sheet)
      print(f'  {printable(str(folder / _SHEET))}')
  except OSError as error:
    progress.say(f'no sheet of {name}: {error.strerror}')
  except UserError as error:
    progress.say(printable(f'no sheet of {name}: {error}'))


def _tell_checked(found: 'Mapping[str, Sequence[Level]]') -> str:
  from alae_jax.data import checksums

  every = [level for levels in found.values() for level in levels]
  with_sums = [x for x in every if checksums.are_there(x.directory)]
  rest = len(every) - len(with_sums)
  told = f'{len(with_sums)} levels are as they were made'
  return told + (f'; {rest} have no checksums' if rest else '')
