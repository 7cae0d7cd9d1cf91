"""Whether a file of PyTorch is whole, and no larger in memory than on disk.

PyTorch believes what a file says of itself: it passes over a zip file's check
sums, and takes as much memory as is asked for. All of this is looked at before
anything is loaded.
"""

import zipfile
from collections.abc import Iterable
from typing import IO, Any

import numpy as np

from alae_jax.errors import UserError
from alae_jax.formats import file_kinds

Tensors = Iterable[tuple[str, Any]]  # by name

_CHUNK = 1 << 20
# All tensors together may take so many times the file: some may share numbers.
_MOST_SHARED = 4
# PyTorch lets a pickle ask for one of any length.
_GREEDY = b'\nbytearray\n'


def open_zip(
  path: str, file: IO[bytes], size: int, program: bool = False
) -> zipfile.ZipFile:
  """The zip file that a checkpoint is.

  Args:
    path: for messages.
    file: the file.
    size: of the file in bytes.
    program: whether it must be what torch.jit.save wrote, of which nothing but
      data.pkl and data/ may be read: its code is compressed.

  Raises:
    UserError: it is truncated, something else, or not as PyTorch writes.
  """
  if not zipfile.is_zipfile(file):
    raise UserError(
      f'{path} is truncated: its end is missing: download it again'
    )
  archive = zipfile.ZipFile(file)
  names = archive.namelist()
  if not any(name.endswith('/data.pkl') for name in names):
    raise UserError(
      f'{path} is not a PyTorch checkpoint but {file_kinds.describe_zip(names)}'
    )
  if is_program(archive) != program:
    raise UserError(
      f'{path} is a TorchScript program: give what torch.save wrote'
      if not program
      else f'{path} is no TorchScript program: give what torch.jit.save wrote'
    )
  entries = archive.infolist()
  if program:
    root = root_of(archive)
    ours = (f'{root}data.pkl', f'{root}data/')
    entries = [entry for entry in entries if entry.filename.startswith(ours)]
  for entry in entries:
    if (
      entry.compress_type != zipfile.ZIP_STORED
      or entry.file_size != entry.compress_size
    ):
      raise UserError(
        f'{path} is not as PyTorch writes it: {entry.filename} is '
        'compressed, and is not unpacked'
      )
  if sum(entry.file_size for entry in entries) > size:
    raise UserError(
      f'{path} is damaged, or made to fill the memory: its parts are larger '
      'than the file'
    )
  return archive


def root_of(archive: zipfile.ZipFile) -> str:
  """The folder in a zip file of PyTorch's that all is in, with its slash."""
  names = [name for name in archive.namelist() if name.endswith('/data.pkl')]
  return min(names, key=len).removesuffix('data.pkl')


def is_program(archive: zipfile.ZipFile) -> bool:
  """Whether a zip file is what torch.jit.save wrote."""
  return any(name.endswith('/constants.pkl') for name in archive.namelist())


def damaged_entry(archive: zipfile.ZipFile) -> zipfile.ZipInfo | None:
  """The first entry whose check sum is wrong, read piece by piece."""
  for entry in archive.infolist():
    try:
      with archive.open(entry) as content:
        while content.read(_CHUNK):
          pass
    except Exception:  # there is no end to what damaged bytes raise
      return entry
  return None


def tensor_in(
  archive: zipfile.ZipFile, entry: zipfile.ZipInfo, tensors: Tensors
) -> str | None:
  """The name of a tensor whose numbers are in an entry, if there is one."""
  starts = [other.header_offset for other in archive.infolist()]
  after = [start for start in starts if start > entry.header_offset]
  end = min(after, default=archive.start_dir)
  for name, tensor in tensors:
    offset = getattr(tensor.untyped_storage(), '_checkpoint_offset', None)
    if offset is not None and entry.header_offset < offset < end:
      return name
  return None


def check_sizes(path: str, tensors: Tensors, size: int) -> None:
  """Refuses tensors that would take more memory than the file can fill.

  Args:
    path: for messages.
    tensors: that the file holds, without their numbers.
    size: of the file in bytes.

  Raises:
    UserError: names the tensor.
  """
  total = 0
  for name, tensor in tensors:
    taken = tensor.numel() * tensor.element_size()
    total += taken
    taken = max(taken, tensor.untyped_storage().nbytes())  # it may be a view
    check_size(path, name, taken, total, size)


def check_size(path: str, name: str, taken: int, total: int, size: int) -> None:
  """Refuses a tensor that would take more memory than the file can fill.

  Args:
    path: for messages.
    name: of the tensor.
    taken: bytes that it needs.
    total: bytes that it and those before it need.
    size: of the file in bytes.

  Raises:
    UserError: names the tensor.
  """
  if taken > size or total > _MOST_SHARED * size:
    raise UserError(
      f'{path} is damaged, or made to fill the memory: tensor {name} would '
      f'take {taken:,} bytes, and the file has {size:,}'
    )


def check_numbers(array: np.ndarray) -> None:
  """Refuses numbers that are not finite, or do not fit float32 with room.

  Raises:
    UserError: the message goes on after the tensor's name.
  """
  if not (np.abs(array) < 1e30).all():
    raise UserError('has values that are not finite, or beyond 1e30')


def is_greedy(file: IO[bytes]) -> bool:
  """Whether a pickle may ask for memory without filling it.

  Args:
    file: a pickle, or a file in the older format, which begins with some.
  """
  end = b''
  while chunk := file.read(_CHUNK):
    if _GREEDY in end + chunk:
      return True
    end = chunk[-len(_GREEDY) :]
  return False
