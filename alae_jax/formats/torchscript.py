"""The tensors of TorchScript archives, without PyTorch and without running any.

`torch.jit.save` writes a zip file of code, which is left alone; of numbers, a
file for each storage; and of a pickle, data.pkl, which says what attributes
every module has and which part of which storage a tensor is. A pickle can call
any function: this one is read only if it holds nothing but what PyTorch writes,
and everything that it names is replaced by a stand-in.
"""

import io
import os
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import ml_dtypes
import numpy as np

from alae_jax import storage
from alae_jax.errors import UserError, printable
from alae_jax.formats import torch_checks

_DTYPES = {
  'BFloat16Storage': ml_dtypes.bfloat16,
  'BoolStorage': '?',
  'ByteStorage': 'u1',
  'CharStorage': 'i1',
  'DoubleStorage': '<f8',
  'FloatStorage': '<f4',
  'HalfStorage': '<f2',
  'IntStorage': '<i4',
  'LongStorage': '<i8',
  'ShortStorage': '<i2',
}
_MOST_AXES = 32
_FLOATS = {'BFloat16Storage', 'DoubleStorage', 'FloatStorage', 'HalfStorage'}

# What PyTorch writes data.pkl with, and no more: others of pickle's operations
# take memory without filling it, or call more than functions.
_OPERATIONS = """
APPEND APPENDS BINFLOAT BINGET BININT BININT1 BININT2 BINPERSID BINPUT
BINUNICODE BUILD EMPTY_DICT EMPTY_LIST EMPTY_TUPLE GLOBAL LONG1 LONG_BINGET
LONG_BINPUT MARK NEWFALSE NEWOBJ NEWTRUE NONE PROTO REDUCE SETITEM SETITEMS STOP
TUPLE TUPLE1 TUPLE2 TUPLE3
"""


class _Storage(NamedTuple):
  """The numbers of some tensors, not read yet."""

  kind: str  # a key of _DTYPES
  key: str  # the name of its file
  size: int  # in numbers


class _Tensor(NamedTuple):
  """What torch._utils._rebuild_tensor_v2 is given."""

  storage: Any
  offset: Any
  shape: Any
  strides: Any
  requires_grad: Any = False
  hooks: Any = None
  metadata: Any = None

  def __setstate__(self, state: Any) -> None:
    """Takes none, and so none is put on the class either."""
    raise pickle.UnpicklingError('a tensor has no state')


class _Object:
  """Stands for a module, or for what else isn't read: does nothing."""

  state: Any = None

  def __init__(self, *args: Any):
    pass

  def __setstate__(self, state: Any) -> None:
    self.state = state


class _Unpickler(pickle.Unpickler):
  """Knows what PyTorch names, by stand-ins alone."""

  def __init__(self, path: str, content: bytes):
    super().__init__(io.BytesIO(content))
    self._path = path

  def find_class(self, module: str, name: str) -> Any:
    """The stand-in for something that the pickle names."""
    if module == 'torch' and name in _DTYPES:
      return name
    if f'{module}.{name}' == 'torch._utils._rebuild_tensor_v2':
      return _Tensor
    if f'{module}.{name}' == 'torch._utils._rebuild_parameter':
      # One's own, for what a pickle puts on it to be lost with it.
      return lambda data, *others: data
    if f'{module}.{name}' == 'collections.OrderedDict':
      return OrderedDict
    # Modules, devices, and functions that note the types of lists.
    if (
      module.split('.')[0] == '__torch__'
      or module == 'torch.jit._pickle'
      or f'{module}.{name}' == 'torch.device'
    ):
      return _Object
    raise UserError(
      f'{self._path} asks for {printable(f"{module}.{name}", 200)}, which no '
      'TorchScript program needs: it may run code, and is not loaded'
    )

  def persistent_load(self, pid: Any) -> _Storage:
    """The storage that a tensor names."""
    match pid:
      case ('storage', str(kind), str(key), str(), int(size)):
        return _Storage(kind, key, size)
    raise pickle.UnpicklingError('no storage')


def is_program(path: str) -> bool:
  """Whether a file is whole and what `torch.jit.save` wrote, by its parts.

  Raises:
    UserError: it is missing or no file.
  """
  source = storage.locate(path)
  storage.require_file(source)
  with source.open('rb') as file:
    try:
      return torch_checks.is_program(zipfile.ZipFile(file))
    except Exception:  # there is no end to what other files raise
      return False


def read(path: str) -> dict[str, np.ndarray]:
  """The tensors of floats that a program's modules hold.

  Args:
    path: local or remote, what `torch.jit.save` wrote.

  Returns:
    {'layers.0.weight': float32 array}, by the names of attributes.

  Raises:
    UserError: the file is missing, truncated, damaged, something else, or holds
      something that could run code or fill the memory.
  """
  source = storage.locate(path)
  storage.require_file(source)
  with source.open('rb') as file:
    size = file.seek(0, os.SEEK_END)
    try:
      return _read(path, file, size)
    except UserError:
      raise
    except Exception as error:  # there is no end to what damaged bytes raise
      raise UserError(
        f'{path} is damaged, or holds more than modules and tensors'
      ) from error


def _read(path: str, file: IO[bytes], size: int) -> dict[str, np.ndarray]:
  archive = torch_checks.open_zip(path, file, size, program=True)
  root = torch_checks.root_of(archive)
  if 'big' in _text(archive, f'{root}byteorder'):
    raise UserError(f'{path} was written on a big-endian machine: convert it')
  content = _bytes(path, archive, f'{root}data.pkl', 'data.pkl')
  _check_operations(path, content)
  storages: dict[str, bytes] = {}
  found: dict[str, np.ndarray] = {}
  total = 0
  for name, tensor in _tensors(_Unpickler(path, content).load(), '', set()):
    if tensor.storage.kind not in _FLOATS:
      continue
    taken = _bytes_taken(path, name, tensor)
    total += taken
    torch_checks.check_size(path, name, taken, total, size)
    key = tensor.storage.key
    if key not in storages:  # tensors may lie in one, side by side
      part = f'{root}data/{key}'
      storages[key] = _bytes(path, archive, part, f'tensor {name}')
    found[name] = _numbers(path, name, tensor, storages[key])
  return found


def _numbers(
  path: str, name: str, tensor: _Tensor, content: bytes
) -> np.ndarray:
  """A tensor's numbers, float32.

  Raises:
    UserError: some are not finite.
  """
  array = np.array(_view(tensor, content), np.float32, order='C')
  try:
    torch_checks.check_numbers(array)
  except UserError as error:
    raise UserError(f'{path}: tensor {name} {error}') from None
  return array


def _text(archive: zipfile.ZipFile, name: str) -> str:
  """A short entry, '' where there is none."""
  if name not in archive.namelist():
    return ''
  with archive.open(name) as content:
    return content.read(16).decode(errors='replace')


def _bytes(path: str, archive: zipfile.ZipFile, entry: str, what: str) -> bytes:
  """A whole entry.

  Raises:
    UserError: it is missing or damaged; tells what lies in it.
  """
  try:
    return archive.read(entry)
  except KeyError as error:
    raise UserError(f'{path} lacks {what}: download it again') from error
  except Exception as error:  # there is no end to what damaged bytes raise
    raise UserError(
      f'{path} is damaged: the check sum of {what} is wrong: download it again'
    ) from error


def _check_operations(path: str, content: bytes) -> None:
  """Refuses a pickle that does other things than PyTorch's do.

  Raises:
    UserError: names what it does.
  """
  allowed = _OPERATIONS.split()
  for operation, argument, _ in pickletools.genops(content):
    # The table of what is remembered is made as large as its last place.
    place = argument if isinstance(argument, int) else 0
    vast = operation.name == 'LONG_BINPUT' and place > len(content)
    if operation.name not in allowed or vast:
      raise UserError(
        f'{path} asks for {operation.name}, which no TorchScript program needs:'
        ' it may fill the memory or run code, and is not loaded'
      )


def _tensors(
  value: Any, name: str, seen: set[int]
) -> Iterator[tuple[str, _Tensor]]:
  """(dotted name, tensor) of what a module holds."""
  if isinstance(value, _Tensor):
    yield name, value
  # PyTorch repeats a module that two share: a pickle that refers to one twice
  # was made to have more names than can be told.
  if not isinstance(value, _Object) or id(value) in seen:
    return
  seen.add(id(value))
  if isinstance(value.state, dict):
    for key, below in value.state.items():
      yield from _tensors(below, f'{name}.{key}' if name else str(key), seen)


def _bytes_taken(path: str, name: str, tensor: _Tensor) -> int:
  """How much memory a tensor needs.

  Raises:
    UserError: it does not say what a tensor says.
  """
  numbers = (tensor.offset, *tensor.shape, *tensor.strides)
  if (
    not isinstance(tensor.storage, _Storage)
    or len(tensor.shape) > _MOST_AXES
    or len(tensor.shape) != len(tensor.strides)
    or not all(type(n) is int and n >= 0 for n in numbers)
  ):
    raise UserError(f'{path} is damaged: tensor {name} is none')
  count = 1
  for side in tensor.shape:
    count *= side
  return count * np.dtype(_DTYPES[tensor.storage.kind]).itemsize


def _view(tensor: _Tensor, content: bytes) -> np.ndarray:
  """A tensor's numbers in its storage.

  Raises:
    ValueError: the storage is of another size, or has no room for it.
  """
  numbers = np.frombuffer(content, _DTYPES[tensor.storage.kind])
  if len(numbers) != tensor.storage.size:
    raise ValueError('a storage of another size')
  if 0 in tensor.shape:
    return np.zeros(tensor.shape)
  last = tensor.offset + sum(
    (side - 1) * stride
    for side, stride in zip(tensor.shape, tensor.strides, strict=True)
  )
  if last >= len(numbers):
    raise ValueError('a tensor beyond its storage')
  return np.lib.stride_tricks.as_strided(
    numbers[tensor.offset :],
    tensor.shape,
    [stride * numbers.itemsize for stride in tensor.strides],
    writeable=False,
  )
