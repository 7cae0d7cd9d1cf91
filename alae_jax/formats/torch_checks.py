"""Whether a file of PyTorch is whole, and no larger in memory than on disk.

PyTorch believes what a file says of itself: it passes over a zip file's check
sums, and takes as much memory as is asked for. All of this is looked at before
anything is loaded.
"""

import zipfile
from collections.abc import Iterable
from typing import IO, Any

from alae_jax.errors import UserError
from alae_jax.formats import file_kinds

Tensors = Iterable[tuple[str, Any]]  # by name

_CHUNK = 1 << 20
# All tensors together may take so many times the file: some may share numbers.
_MOST_SHARED = 4
# PyTorch lets a pickle ask for one of any length.
_GREEDY = b'\nbytearray\n'


def open_zip(path: str, file: IO[bytes], size: int) -> zipfile.ZipFile:
  """The zip file that a checkpoint is.

  Args:
    path: for messages.
    file: the file.
    size: of the file in bytes.

  Raises:
    UserError: it is truncated, something else, or not as torch.save writes.
  """
  if not zipfile.is_zipfile(file):
    raise UserError(
      f'{path} is truncated: its end is missing: download it again'
    )
  archive = zipfile.ZipFile(file)
  entries = archive.infolist()
  names = archive.namelist()
  if not any(name.endswith('/data.pkl') for name in names):
    raise UserError(
      f'{path} is not a PyTorch checkpoint but {file_kinds.describe_zip(names)}'
    )
  if any(name.endswith('/constants.pkl') for name in names):
    raise UserError(
      f'{path} is a TorchScript program: give what torch.save wrote'
    )
  for entry in entries:
    if (
      entry.compress_type != zipfile.ZIP_STORED
      or entry.file_size != entry.compress_size
    ):
      raise UserError(
        f'{path} is not as torch.save writes it: {entry.filename} is '
        'compressed, and is not unpacked'
      )
  if sum(entry.file_size for entry in entries) > size:
    raise UserError(
      f'{path} is damaged, or made to fill the memory: its parts are larger '
      'than the file'
    )
  return archive


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
    if taken > size or total > _MOST_SHARED * size:
      raise UserError(
        f'{path} is damaged, or made to fill the memory: tensor {name} would '
        f'take {taken:,} bytes, and the file has {size:,}'
      )


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
