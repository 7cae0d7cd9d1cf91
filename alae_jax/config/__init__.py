"""The configuration of a run: its fields, what is allowed, its files.

A file in experiments/, found by its name too, calls `default()` or
`default_style()` and overrides what its recipe needs; the command line
overrides that (`--config.train.seed=1`). The result is locked and typed, and
`validate` refuses impossible values before anything is compiled.
"""

from alae_jax.config.checks import validate
from alae_jax.config.continuing import change, check_continues, resolve
from alae_jax.config.defaults import UNNAMED, default, default_style, flatten
from alae_jax.config.files import (
  exported,
  load,
  override,
  read_config,
  with_exported,
)

__all__ = [
  'UNNAMED',
  'change',
  'check_continues',
  'default',
  'default_style',
  'exported',
  'flatten',
  'load',
  'override',
  'read_config',
  'resolve',
  'validate',
  'with_exported',
]
