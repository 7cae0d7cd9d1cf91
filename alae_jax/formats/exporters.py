"""The formats that a trained model can be exported to, by name.

An exporter takes a stored run and gives files. Nothing here needs jax, so that
a command line is read at once; an exporter is imported when it is meant.
"""

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from alae_jax.errors import UserError

if TYPE_CHECKING:
  from alae_jax.inference.loading import LoadedRun, StoredState

README = 'README.md'
PREVIEW = 'preview.png'


@dataclasses.dataclass(frozen=True)
class StoredRun:
  """What an exporter is given.

  Attributes:
    workdir: a run folder, or an exported one, or one on the hub.
    loaded: the model of the chosen checkpoint and weights.
    both: reads the same checkpoint with its live networks and their EMA; an
      exported folder has not both, and a UserError says so.
  """

  workdir: str
  loaded: 'LoadedRun'
  both: Callable[[], 'StoredState']


@dataclasses.dataclass(frozen=True)
class Exported:
  """What an exporter makes of a run.

  Attributes:
    files: what each file is to hold, by name; two exporters that give the same
      file give it the same content.
    guide: {file: Markdown about it}, with an example that runs beside it.
    note: what of the run is not in it and why, in a line; '' for nothing.
  """

  files: dict[str, bytes]
  guide: dict[str, str]
  note: str = ''


@dataclasses.dataclass(frozen=True)
class Exporter:
  """A row of the table.

  Attributes:
    summary: what the format is, for --help.
    files: the names of what it writes.
    module: in alae_jax.formats, with export(StoredRun) -> Exported, which
      raises a UserError for a model that can't be written so.
    package: that it imports besides those that are always there; '' for none.
    extra: of alae_jax, which brings it.
  """

  summary: str
  files: tuple[str, ...]
  module: str
  package: str = ''
  extra: str = ''

  def load(self) -> Any:
    """The module."""
    return importlib.import_module(f'alae_jax.formats.{self.module}')


WEIGHTS = ('model.safetensors', 'config.json')
FUNCTIONS = (
  'map',
  'encode',
  'decode',
  'decode_styles',
  'generate',
  'reconstruct',
)

EXPORTERS = {
  'safetensors': Exporter(
    'model.safetensors and config.json, which alae_jax.load, every command '
    'that reads a run, and other tools read',
    WEIGHTS,
    'safetensors',
  ),
  'stablehlo': Exporter(
    'the same, and the networks as programs that jax runs without alae_jax, on '
    f'CPU, CUDA and TPU: {", ".join(FUNCTIONS)}',
    (*WEIGHTS, *(f'{name}.stablehlo' for name in FUNCTIONS)),
    'stablehlo',
    'flatbuffers',
    'stablehlo',
  ),
  'onnx': Exporter(
    f'{" and ".join(WEIGHTS)}, and the networks as graphs that ONNX Runtime '
    f'and others run without jax, in float32: {", ".join(FUNCTIONS)}. '
    'They read the weights from model.safetensors beside them. To run them: '
    'pip install onnxruntime',
    (*WEIGHTS, *(f'{name}.onnx' for name in FUNCTIONS)),
    'onnx.export',
    'onnx',
    'onnx',
  ),
  'release': Exporter(
    "model.pth, a checkpoint that the authors' PyTorch release loads, with the "
    'live and the EMA networks (float64, so that `alae import` gives back '
    'every bit)',
    ('model.pth',),
    'release_export',
    # PyTorch, which it asks for when all else is in order.
    extra='torch',
  ),
}


def find(names: Sequence[str]) -> list[Exporter]:
  """The exporters of some formats.

  Raises:
    UserError: there is no such format, it is named twice, or its package is
      missing.
  """
  for i, name in enumerate(names):
    if name not in EXPORTERS:
      raise UserError(f'format {name!r} is none of {", ".join(EXPORTERS)}')
    if name in names[:i]:
      raise UserError(f'format {name} is given twice')
    package, extra = EXPORTERS[name].package, EXPORTERS[name].extra
    if package and importlib.util.find_spec(package) is None:
      raise UserError(
        f"format {name} needs {package}: pip install 'alae_jax[{extra}]'"
      )
  return [EXPORTERS[name] for name in names]


def files_of(names: Sequence[str]) -> set[str]:
  """What is written in some formats, by name."""
  files = {file for exporter in find(names) for file in exporter.files}
  return files | {README, PREVIEW}


def left_over(there: Collection[str], files: Collection[str]) -> list[str]:
  """What an earlier export wrote to a place and a new one would not replace.

  README.md would say nothing of it, and it may be of another checkpoint.

  Args:
    there: the names of what is in the place.
    files: of what will be written.
  """
  if README not in there:
    return []
  known = {name for exporter in EXPORTERS.values() for name in exporter.files}
  return sorted((set(there) & known) - set(files) - {'config.json'})
