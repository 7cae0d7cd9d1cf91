"""PyTorch's files, read without running anything that they hold.

A file of `torch.save` is a pickle, and a pickle can call any function. Here
PyTorch's restricted unpickler reads it, which knows tensors and plain values
alone. The bookkeeping objects that checkpoints of the authors' release hold
beside the weights are taken in by stand-ins, which forget what they are given.
"""

import io
import os
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np

from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.formats import file_kinds, torch_checks

# The restricted unpickler of earlier versions could be made to run code
# (CVE-2025-32434 and CVE-2026-24747).
_SAFE_SINCE = '2.10'
_INSTALL = "pip install 'alae_jax[torch]'"
_ZIP_START = b'PK\x03\x04'
_LEGACY_START = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'


class _Ignored:
  """Stands for an object that is not read: takes anything, does nothing."""

  def __new__(cls, *args: Any) -> '_Ignored':
    return super().__new__(cls)

  def __init__(self, *args: Any):
    pass

  def __setstate__(self, state: Any) -> None:
    pass


def _empty_dict(*args: Any) -> dict:
  return {}


# What checkpoints of the release have been saved with, as a pickle names it.
_STAND_INS = [
  (_empty_dict, 'collections.defaultdict'),
  *(
    (_Ignored, name)
    for name in (
      'builtins.dict',
      'builtins.float',
      'builtins.int',
      'builtins.list',
      'custom_adam.LREQAdam',
      'numpy._core.multiarray.scalar',
      'numpy.core.multiarray.scalar',
      'numpy.dtype',
      'scheduler.ComboMultiStepLR',
      'scheduler.WarmupMultiStepLR',
      'torch.optim.adam.Adam',
      'torch.optim.lr_scheduler.MultiStepLR',
      'tracker.LossTracker',
      'tracker.RunningMean',
      'tracker.RunningMeanTorch',
    )
  ),
]


def read(path: str, wanted: str = 'checkpoint of the release') -> Any:
  """What `torch.save` wrote, in either of its formats, tensors on the CPU.

  Args:
    path: local or remote; the zip format of PyTorch 1.6 and later, or the one
      before it.
    wanted: what the file should be, for messages.

  Raises:
    UserError: PyTorch is missing, or the file is, or it is truncated, damaged,
      not PyTorch's, or holds something that could run code or fill the memory.
  """
  source = storage.locate(path)
  if os.path.isdir(source):
    kind = file_kinds.describe_folder(os.listdir(source))
    raise UserError(f'{path} is {kind}')
  storage.require_file(source)
  try:
    with source.open('rb') as file:
      zipped = _is_zipped(path, file)
      torch = import_torch()
      size = file.seek(0, os.SEEK_END)
      try:
        return _read(torch, path, file, size, zipped, wanted)
      except UserError:
        raise
      except Exception as error:  # there is no end to what damaged bytes raise
        complaint = _complaint(error, zipped, wanted)
        raise UserError(f'{path} {complaint}') from error
  except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
    raise UserError(f'{path}: {error.strerror}') from error


def _is_zipped(path: str, file: IO[bytes]) -> bool:
  """In which of its formats PyTorch wrote a file.

  Raises:
    UserError: in none; says what the file is.
  """
  head = file.read(file_kinds.HEAD)
  if head.startswith(_ZIP_START):
    return True
  if head.startswith(_LEGACY_START):
    return False
  kind = file_kinds.describe(head)
  but = f' but {kind}' if kind else ''
  raise UserError(f'{path} is not a PyTorch checkpoint{but}')


def _read(
  torch: Any, path: str, file: IO[bytes], size: int, zipped: bool, wanted: str
) -> Any:
  """Loads a file once it is known to be whole and to fit."""
  if zipped:
    archive = torch_checks.open_zip(path, file, size)
    _refuse_damage(torch, path, file, archive)
    pickles = next(n for n in archive.namelist() if n.endswith('/data.pkl'))
    greedy = torch_checks.is_greedy(archive.open(pickles))
  else:
    file.seek(0)
    greedy = torch_checks.is_greedy(file)
  if greedy:
    raise UserError(
      f'{path} asks for a bytearray, which no {wanted} needs: it may fill the '
      'memory, and is not loaded'
    )
  torch_checks.check_sizes(path, _outline(torch, file), size)
  return _load(torch, file, 'cpu')


def _refuse_damage(
  torch: Any, path: str, file: IO[bytes], archive: zipfile.ZipFile
) -> None:
  """Raises UserError where a check sum is wrong, and names the tensor."""
  entry = torch_checks.damaged_entry(archive)
  if entry is None:
    return
  where = entry.filename
  if '/data/' in where:
    tensor = torch_checks.tensor_in(archive, entry, _outline(torch, file))
    where = f'tensor {tensor}' if tensor else where
  raise UserError(
    f'{path} is damaged: the check sum of {where} is wrong: download it again'
  )


def _outline(torch: Any, file: IO[bytes]) -> Iterator[tuple[str, Any]]:
  """(name, tensor without its numbers) of what is read of a file.

  Those of the networks of a release checkpoint are network/tensor. Other files
  are a state dict, or hold some.
  """
  with torch.serialization.skip_data():
    content = _load(torch, file, 'meta')
  networks = content.get('models') if isinstance(content, dict) else None
  for network, state in _items(
    networks if isinstance(networks, dict) else content
  ):
    if isinstance(state, torch.Tensor):
      yield network, state
    for name, value in _items(state):
      if isinstance(value, torch.Tensor):
        yield f'{network}/{name}', value


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
  return value.items() if isinstance(value, dict) else ()


def _load(torch: Any, file: IO[bytes], device: str) -> Any:
  file.seek(0)
  with warnings.catch_warnings():
    # Of damaged bytes, and of storage classes that have a newer name.
    warnings.simplefilter('ignore')
    with torch.serialization.safe_globals(_STAND_INS):
      return torch.load(file, map_location=device, weights_only=True)


def write(path: str, content: Any) -> None:
  """Saves plain containers of tensors, whole or not at all.

  Raises:
    UserError: PyTorch is missing, or the file exists.
  """
  target = storage.locate(path)
  if target.exists():
    raise UserError(f'{path} exists: name another')
  storage.write_whole(target, encode(content))


def encode(content: Any) -> bytes:
  """What `write` writes.

  Raises:
    UserError: PyTorch is missing.
  """
  buffer = io.BytesIO()
  import_torch().save(content, buffer)
  return buffer.getvalue()


def to_numpy(tensor: Any) -> np.ndarray:
  """A tensor's numbers; types that numpy lacks become float32.

  Raises:
    UserError: it is no plain tensor of finite floats that fit float32; the
      message goes on after the tensor's name.
  """
  torch = import_torch()
  if not isinstance(tensor, torch.Tensor):
    raise UserError(f'is not a tensor but of type {type(tensor).__name__}')
  if tensor.layout != torch.strided or not tensor.is_floating_point():
    raise UserError(
      f'has type {tensor.dtype} and layout {tensor.layout}: it '
      'must be a plain tensor of floats'
    )
  wide = torch.float64 if tensor.dtype == torch.float64 else torch.float32
  array = tensor.detach().to(wide).numpy()
  torch_checks.check_numbers(array)
  return array


def import_torch() -> Any:
  """The module.

  Raises:
    UserError: it is missing or too old to read files safely.
  """
  try:
    import torch
  except ImportError as error:
    raise UserError(f'this needs PyTorch: {_INSTALL}') from error
  if torch.__version__ < _SAFE_SINCE:
    raise UserError(
      f'PyTorch {torch.__version__} cannot read files safely: {_INSTALL}'
    )
  return torch


def _complaint(error: Exception, zipped: bool, wanted: str) -> str:
  """What is wrong with a file, said after its name.

  PyTorch's own message runs over many lines and says how to load the file
  unsafely.
  """
  unknown = re.search(r'GLOBAL (\S+) (?:was|whose)', str(error))
  if unknown:
    return (
      f'asks for {unknown[1]}, which no {wanted} needs: it may run code, and '
      'is not loaded'
    )
  truncated = '' if zipped else 'truncated, '
  return f'is {truncated}damaged, or holds more than tensors and plain values'
