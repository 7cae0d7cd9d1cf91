"""What the levels of the recipes cost, as it was compiled and kept in a file.

costs.tsv holds a row a level; `alae compile --record` adds to it. Nothing in it
was measured on a device: it is what the compiler counts.
"""

import contextlib
import csv
import dataclasses
import datetime
import functools
import io
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import Any

import jax
import ml_collections
from etils import epath

from alae_jax import config as config_lib
from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.runs.schedule import Segment
from alae_jax.training import chips
from alae_jax.training.cost import Cost, Estimate, estimate
from alae_jax.training.forecast import Forecast

COSTS = epath.Path(__file__).parent / 'costs.tsv'

# The fields on which a step's cost rests, besides its batch.
_FIELDS = (
  'model.',
  'train.compute_dtype',
  'train.microbatches',
  'train.remat_resolution',
  'train.shard',
)


@dataclasses.dataclass(frozen=True)
class Row:
  """Of a level of a recipe, on some devices.

  Attributes:
    recipe: its name.
    settings: what differs from it, 'train.compute_dtype=bfloat16' or several of
      these with a space between.
    level: index of the resolution.
    side: of the images, in pixels.
    device: what JAX calls it.
    devices: how many.
    batch: of all devices together.
    images: that the level is trained for.
    arguments: bytes on each device, see `cost.Cost`.
    temporary: likewise.
    program: likewise.
    flops: floating point operations of an iteration on each device.
    traffic: bytes that each moves.
    compiler: versions.
    date: year-month-day.
  """

  recipe: str
  settings: str
  level: int
  side: int
  device: str
  devices: int
  batch: int
  images: int
  arguments: int
  temporary: int
  program: int
  flops: float
  traffic: float
  compiler: str
  date: str

  @property
  def key(self) -> tuple[Any, ...]:
    """What it is of; by it rows are in order."""
    return (
      *(self.recipe, self.device, self.devices, self.settings),
      *(self.level, self.batch),
    )

  @property
  def cost(self) -> Cost:
    """Of an iteration, on each device."""
    return Cost(
      self.arguments, self.temporary, self.program, self.flops, self.traffic
    )

  @property
  def where(self) -> str:
    """Such as '8 x v5e'."""
    chip = chips.find(self.device)
    return f'{self.devices} x {chip.name if chip else self.device}'

  @property
  def estimate(self) -> Estimate | None:
    """How fast it is by the peaks; None where they are not known."""
    chip = chips.find(self.device)
    return estimate(self.cost, chip, self.batch) if chip else None

  @property
  def config(self) -> ml_collections.ConfigDict:
    """The recipe with the settings."""
    return _config_of(self.recipe, self.settings)


@functools.cache
def _config_of(recipe: str, settings: str) -> ml_collections.ConfigDict:
  return config_lib.read_config(
    recipe, [f'--config.{word}' for word in settings.split()]
  )


def read(path: epath.Path = COSTS) -> list[Row]:
  """All rows of a file; none where it is not there.

  Raises:
    UserError: it is no such file.
  """
  if not path.exists():
    return []
  kinds = {field.name: field.type for field in dataclasses.fields(Row)}
  table = csv.DictReader(io.StringIO(path.read_text()), delimiter='\t')
  try:
    return [
      Row(**{name: kinds[name](text) for name, text in line.items()})  # type: ignore
      for line in table
    ]
  except (KeyError, TypeError, ValueError) as error:
    raise UserError(f'{path} is no table of costs') from error


def add(path: epath.Path, row: Row) -> None:
  """Puts a row into a file, in the place of an older one of the same."""
  rows = [other for other in read(path) if other.key != row.key]
  text = io.StringIO()
  names = [field.name for field in dataclasses.fields(Row)]
  table = csv.DictWriter(text, names, delimiter='\t', lineterminator='\n')
  table.writeheader()
  for each in sorted([*rows, row], key=lambda row: row.key):
    table.writerow(dataclasses.asdict(each))
  storage.write_whole(path, text.getvalue().encode())


def row_of(
  recipe: str,
  config: ml_collections.ConfigDict,
  level: Forecast,
  devices: Sequence[jax.Device],
) -> Row:
  """The row of what was compiled.

  Args:
    recipe: name of that which `config` comes from.
    config: as it was compiled.
    level: what came of it; it has a cost.
    devices: that it was compiled for.
  """
  assert level.cost is not None
  before = _relevant(_config_of(recipe, ''))
  return Row(
    recipe=recipe,
    settings=' '.join(
      f'{field}={value}'.replace(' ', '')  # of a tuple
      for field, value in _relevant(config).items()
      if value != before[field]
    ),
    level=level.level,
    side=level.side,
    device=devices[0].device_kind,
    devices=len(devices),
    batch=level.batch_size,
    images=level.images,
    **dataclasses.asdict(level.cost),
    compiler=_compiler(),
    date=datetime.date.today().isoformat(),
  )


def _relevant(config: ml_collections.ConfigDict) -> dict[str, Any]:
  return {
    field: value
    for field, value in config_lib.flatten(config).items()
    if field.startswith(_FIELDS)
  }


def _compiler() -> str:
  versions = [f'jax {jax.__version__}']
  with contextlib.suppress(metadata.PackageNotFoundError):
    versions.append(f'libtpu {metadata.version("libtpu")}')
  return ', '.join(versions)


def known(
  config: ml_collections.ConfigDict,
  schedule: Iterable[Segment],
  device: str,
  devices: int,
) -> list[Row]:
  """The rows that hold for a config.

  Args:
    config: resolved.
    schedule: of it.
    device: what JAX calls those that are here.
    devices: how many.

  Returns:
    Where there are rows for such devices those with as many images on each;
    otherwise those for other devices with the same batch in all.
  """
  asked = _relevant(config)
  batches = {segment.level: segment.batch_size for segment in schedule}
  found = [
    row
    for row in read()
    if row.level in batches and _relevant(row.config) == asked
  ]
  here = [row for row in found if row.device == device]
  if here:
    return [
      row
      for row in here
      if row.batch * devices == batches[row.level] * row.devices
    ]
  return [row for row in found if row.batch == batches[row.level]]


def describe(row: Row) -> str:
  """Such as '64x64 on 8 x v5e, batch 64: 2.1 GiB each, about 90 images/s'."""
  best = row.estimate
  speed = f', about {best.images_per_second:,.0f} images/s' if best else ''
  return (
    f'{row.side}x{row.side} on {row.where}, batch {row.batch}: '
    f'{row.cost.memory / 2**30:.1f} GiB each{speed}'
  )
