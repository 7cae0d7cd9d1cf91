"""Compiled programs, kept on this machine's disk from one command to the next.

JAX's persistent compilation cache, in the user's cache folder unless JAX's own
settings say otherwise: JAX_COMPILATION_CACHE_DIR names another place, and
JAX_ENABLE_COMPILATION_CACHE=false switches it off; likewise in jax.config.
"""

import os
import platform

import filelock
import jax
from etils import epath

from alae_jax import storage

# What has not been used for longest makes room for what is new.
_MOST_BYTES = 2 << 30
_WORTH = 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'
_WORTH_SECONDS = 0.2


def keep() -> None:
  """Has JAX look for compiled programs on the disk, and leave new ones there.

  Where the folder can't be used everything is compiled as without it.
  """
  settings = jax.config.values
  if settings['jax_compilation_cache_dir'] is not None:
    return
  if not settings['jax_enable_compilation_cache']:
    return
  # Hosts may share a home folder, and not their processors' instructions.
  folder = storage.cache_folder() / 'programs' / (platform.node() or 'here')
  try:
    folder.mkdir(parents=True, exist_ok=True)
    _drop_torn(folder)
  except (OSError, NotImplementedError):  # of a disk without locks
    return
  jax.config.update('jax_compilation_cache_dir', os.fspath(folder))
  jax.config.update('jax_compilation_cache_max_size', _MOST_BYTES)
  if _WORTH not in os.environ:
    jax.config.update(_WORTH.lower(), _WORTH_SECONDS)


def _drop_torn(folder: epath.Path) -> None:
  """Removes what a kill cut short, which JAX would read, and fail, for ever.

  It writes a program in place, and then, beside it, when that was.
  """
  with filelock.FileLock(folder / '.lockfile', timeout=10):  # JAX's own
    for program in folder.glob('*-cache'):
      used = program.with_name(program.name.removesuffix('-cache') + '-atime')
      if not used.exists() or used.stat().length != 8:
        program.unlink()
        used.unlink(missing_ok=True)
