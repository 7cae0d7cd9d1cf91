"""PyTorch's files, read without running anything that they hold.

A file of `torch.save` is a pickle, and a pickle can call any function. Here
PyTorch's restricted unpickler reads it, which knows tensors and plain values
alone. The bookkeeping objects that checkpoints of the authors' release hold
beside the weights are taken in by stand-ins, which forget what they are given.
"""

import io
import re
import warnings
import zipfile
from typing import Any

import numpy as np
from etils import epath

from alae_jax import storage
from alae_jax.errors import UserError

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


def read(path: str) -> Any:
  """What `torch.save` wrote, in either of its formats, tensors on the CPU.

  Args:
    path: local or remote; the zip format of PyTorch 1.6 and later, or the one
      before it.

  Raises:
    UserError: PyTorch is missing, or the file is, or it is truncated, not
      PyTorch's, or holds something that could run code.
  """
  source = storage.locate(path)
  storage.require_file(source)
  torch = import_torch()
  start = b''
  try:
    with source.open('rb') as file, warnings.catch_warnings():
      start = file.read(len(_LEGACY_START))
      file.seek(0)
      # Of damaged bytes, and of storage classes that have a newer name.
      warnings.simplefilter('ignore')
      with torch.serialization.safe_globals(_STAND_INS):
        return torch.load(file, map_location='cpu', weights_only=True)
  except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
    raise UserError(f'{path}: {error.strerror}') from error
  except Exception as error:  # there is no end to what damaged bytes raise
    raise UserError(f'{path} {_complaint(path, start, error)}') from error


def write(path: str, content: Any) -> None:
  """Saves plain containers of tensors, whole or not at all.

  Raises:
    UserError: PyTorch is missing, or the file exists.
  """
  torch = import_torch()
  target = storage.locate(path)
  if target.exists():
    raise UserError(f'{path} exists: name another')
  buffer = io.BytesIO()
  torch.save(content, buffer)
  storage.write_whole(target, buffer.getvalue())


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
  if not (np.abs(array) < 1e30).all():
    raise UserError('has values that are not finite, or beyond 1e30')
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


def _complaint(path: str, start: bytes, error: Exception) -> str:
  """What is wrong with a file, said after its name.

  PyTorch's own message runs over many lines and says how to load the file
  unsafely.
  """
  unknown = re.search(r'GLOBAL (\S+) (?:was|whose)', str(error))
  if unknown:
    return (
      f'asks for {unknown[1]}, which no checkpoint of the release '
      'needs: it may run code, and is not loaded'
    )
  if start.startswith(_ZIP_START):
    return _zip_complaint(path)
  if start == _LEGACY_START:
    return 'is truncated, damaged, or holds more than tensors and plain values'
  return 'is not a PyTorch checkpoint'


def _zip_complaint(path: str) -> str:
  damaged = 'is damaged, or holds more than tensors and plain values'
  try:
    with epath.Path(path).open('rb') as file:
      if not zipfile.is_zipfile(file):
        return 'is truncated: its end is missing'
      names = zipfile.ZipFile(file).namelist()
  except Exception:  # as in `read`
    return damaged
  if not any(name.endswith('/data.pkl') for name in names):
    return 'is a zip file, but not a PyTorch checkpoint'
  return damaged
