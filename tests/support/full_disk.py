"""A disk without room, for anybody and on any Linux."""

import contextlib
import resource

import jax

_CACHE = 'jax_persistent_cache_min_compile_time_secs'


@contextlib.contextmanager
def room(size):
  """No file can grow beyond `size` bytes; writing more raises EFBIG."""
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  seconds = getattr(jax.config, _CACHE)
  jax.config.update(_CACHE, 1e9)  # or it would keep half of a program
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    jax.config.update(_CACHE, seconds)
