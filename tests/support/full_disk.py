"""A disk without room, for anybody and on any Linux."""

import contextlib
import resource


@contextlib.contextmanager
def room(size):
  """No file can grow beyond `size` bytes; writing more raises EFBIG."""
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
