"""`alae compile`: every level's step ahead of time, and what it costs."""

import argparse
import dataclasses
import json
import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from alae_jax import progress
from alae_jax.commands import options
from alae_jax.errors import UserError

if TYPE_CHECKING:
  import jax
  from ml_collections import ConfigDict

  from alae_jax.runs.schedule import Segment
  from alae_jax.training.chips import Chip
  from alae_jax.training.forecast import Forecast
  from alae_jax.training.traffic import Moved

_MIB, _GIB, _GB, _TERA = 2**20, 2**30, 1e9, 1e12
_HEAD = (
  '     level   batch  compiled   arguments   temporary    TFLOP       GB'
  '       estimate   limit'
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
  """The arguments of `alae compile`, besides --config.field=value."""
  add = parser.add_argument
  add(
    '--config',
    required=True,
    type=options.path,
    metavar='NAME|FILE',
    help="a recipe by its name, your own file, or a run's config.json; "
    '--config.section.field=value overrides a field',
  )
  add(
    '--topology',
    metavar='SLICE',
    help='a TPU slice that need not be here: v5e:2x4, v6e:2x4, v4:2x2x2 '
    "(default: this machine's devices); takes pip install 'alae_jax[tpu]'",
  )
  add(
    '--levels',
    metavar='NUMBERS',
    help='separated by commas: indices of resolutions (default: all that the '
    'config trains)',
  )
  add(
    '--operations',
    type=int,
    default=0,
    metavar='N',
    help='list the N kinds of operations that move most bytes of each level',
  )
  add(
    '--fit',
    action='store_true',
    help='find the settings that make every level fit the memory of a device, '
    'and cost least',
  )
  add(
    '--memory',
    type=float,
    metavar='GIB',
    help='of a device, for its programs (default: what it has, where that is '
    'known)',
  )
  add(
    '--record',
    type=options.path,
    metavar='FILE',
    help="add a recipe's costs to a table, a level as soon as it is compiled",
  )
  add('--format', choices=('text', 'json'), default='text')


def run(args: argparse.Namespace, overrides: Sequence[str]) -> None:
  """Compiles and prints."""
  _check(args)
  with progress.telling('starting'):
    import jax

    from alae_jax import config as config_lib
    from alae_jax.training import compile, forecast

  config = config_lib.read_config(args.config, overrides)
  devices = compile.topology(args.topology) if args.topology else jax.devices()
  config = config_lib.resolve(config, len(devices))
  config_lib.validate(config, len(devices))
  try:
    segments = forecast.choose_levels(config, _numbers(args.levels))
  except ValueError as error:
    raise UserError(f'--levels {error}') from error
  if args.fit:
    _fit(args, config, segments, devices)
  else:
    _tell(args, config, segments, devices)


def _check(args: argparse.Namespace) -> None:
  if args.operations < 0:
    raise UserError(f'--operations {args.operations}: give 0 or more')
  if args.memory is not None and not 0 < args.memory < math.inf:
    raise UserError(f'--memory {args.memory}: give GiB above 0')
  if args.fit and args.operations:
    raise UserError('--fit lists no operations: leave out --operations')
  if args.record and args.fit:
    raise UserError(
      '--record keeps what is asked for: give it with the settings that --fit '
      'has found'
    )
  if args.record and args.config not in _recipes():
    raise UserError(
      f'--record {args.record}: it keeps costs of recipes, and config '
      f'{args.config} is no name of one'
    )


def _recipes() -> Collection[str]:
  from alae_jax.config import recipes

  return recipes.shipped()


def _tell(
  args: argparse.Namespace,
  config: 'ConfigDict',
  segments: Sequence['Segment'],
  devices: Sequence['jax.Device'],
) -> None:
  """Compiles every level with the config as it is."""
  from alae_jax import storage
  from alae_jax.training import costs, fitting, forecast

  memory = _memory(args, devices)
  if args.format == 'text':
    _print_head(devices)
  found = []
  for segment in segments:
    with progress.telling(f'compiling level {segment.level}'):
      level = forecast.forecast(
        config, segment, devices, args.operations, memory
      )
    found.append(level)
    if args.record and level.cost is not None:
      row = costs.row_of(args.config, config, level, devices)
      costs.add(storage.locate(args.record), row)
    if args.format == 'text':
      print('\n'.join(_lines(level)), flush=True)
    if args.format == 'text' and not level.fits:
      print(_advice(fitting.advise(config, segment, len(devices))))
  if args.format == 'json':
    print(_encode(found, devices))


def _fit(
  args: argparse.Namespace,
  config: 'ConfigDict',
  segments: Sequence['Segment'],
  devices: Sequence['jax.Device'],
) -> None:
  """Compiles every level with the cheapest settings that fit."""
  from alae_jax.training import fitting

  memory = _memory(args, devices)
  if memory is None and devices[0].platform != 'tpu':
    raise UserError(
      f'--fit: what memory a {devices[0].device_kind} has is not known: give '
      '--memory GIB'
    )
  setting, found = fitting.fit(config, segments, devices, memory, progress.say)
  if args.format == 'json':
    print(_encode(found, devices, setting.values))
    return
  _print_head(devices)
  for level in found:
    print(_line(level))
  print(
    f'all fit with {_flags(setting.values)}'
    if setting.values
    else 'all fit as they are'
  )


def _memory(
  args: argparse.Namespace, devices: Sequence['jax.Device']
) -> float | None:
  """Bytes of a device, where that is known."""
  from alae_jax.training import forecast

  if args.memory is not None:
    return args.memory * _GIB
  return forecast.memory_of(devices[0])


def _flags(values: dict[str, Any]) -> str:
  return ' '.join(f'--config.{field}={v}' for field, v in values.items())


def _advice(values: dict[str, Any]) -> str:
  first = f'{_flags(values)}, or ' if values else ''
  return f'    try {first}--fit, which finds what it takes'


def _numbers(text: str | None) -> list[int] | None:
  """'2,3' -> [2, 3]; None for all."""
  if text is None:
    return None
  try:
    return [int(word) for word in text.split(',')]
  except ValueError:
    raise UserError(
      f'--levels {text}: give indices of resolutions, as 2,3'
    ) from None


def _encode(
  found: list['Forecast'],
  devices: Sequence['jax.Device'],
  values: dict[str, Any] | None = None,
) -> str:
  """What was found, as JSON; `values` with which all levels fit."""
  facts = {
    'device': devices[0].device_kind,
    'devices': len(devices),
    'levels': [dataclasses.asdict(level) for level in found],
  }
  if values is not None:
    facts['fits_with'] = values
  return json.dumps(facts, indent=2)


def _print_head(devices: Sequence['jax.Device']) -> None:
  from alae_jax.training import chips

  kind = devices[0].device_kind
  print(_title(kind, len(devices), chips.find(kind)))
  print(_HEAD, flush=True)


def _title(kind: str, count: int, chip: 'Chip | None') -> str:
  peaks = (
    f'{chip.flops / _TERA:,.0f} TFLOP/s, {chip.traffic / _GB:,.0f} GB/s, '
    f'{chip.memory / 2**30:,.0f} GiB each'
    if chip
    else 'whose peaks are not known here: no estimate'
  )
  return f'{count} x {kind}, {peaks}; the following is of each'


def _lines(level: 'Forecast') -> list[str]:
  """A level, and below it what moves most bytes."""
  return [_line(level), *map(_describe_moved, level.moved)]


def _line(level: 'Forecast') -> str:
  start = (
    f'{level.side:>5}x{level.side:<4} {level.batch_size:>6,}'
    f' {level.compile_seconds:>7,.0f} s'
  )
  cost, best = level.cost, level.estimate
  if cost is None:
    return f'{start}  {level.describe_fit()}'
  line = (
    f'{start} {cost.arguments / _MIB:>7,.0f} MiB'
    f' {cost.temporary / _MIB:>7,.0f} MiB {cost.flops / _TERA:>8.3f}'
    f' {cost.traffic / _GB:>8.2f}'
  )
  if not level.fits:
    return f'{line}  {level.describe_fit()}'
  if best is None:
    return line
  return (
    f'{line} {best.images_per_second:>6,.0f} images/s'
    f'  {best.limit}, {best.share_of_peak:.0%} of peak'
  )


def _describe_moved(moved: 'Moved') -> str:
  return (
    f'    {moved.traffic / _GB:>8.3f} GB  {moved.count:>4} x '
    f'{moved.operation:<16} {moved.source}'
  )
