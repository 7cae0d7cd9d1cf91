"""Which form of raw images a path holds."""

import os
from types import ModuleType

from etils import epath

from alae_jax import storage
from alae_jax.data import tfds_folders
from alae_jax.data.sources import (
  base,
  folders,
  idx,
  lsun_lmdb,
  numpy_arrays,
  parquet,
  tars,
  tfds_source,
  tfrecords,
  zips,
)
from alae_jax.errors import UserError

_TFDS = 'tfds:'
# In the order in which they are looked for: a form with marks of its own goes
# before those that are known by suffixes alone.
FORMS: dict[str, ModuleType] = {
  'tfds': tfds_source,
  'idx': idx,
  'lmdb': lsun_lmdb,
  'tfrecords': tfrecords,
  'parquet': parquet,
  'zip': zips,
  'tar': tars,
  'folder': folders,
  'numpy': numpy_arrays,
}


def open_source(
  source: epath.PathLike,
  form: str | None = None,
  data_dir: epath.PathLike = 'data',
) -> base.Source:
  """Lists the images of a path.

  Args:
    source: a file or folder, or tfds:NAME[/CONFIG][:VERSION], a dataset that
      TFDS has prepared.
    form: one of FORMS; None: found from what the path holds.
    data_dir: where datasets of TFDS are.

  Raises:
    UserError: it is missing, damaged, or of no form that is known.
  """
  if form not in (None, *FORMS):
    raise UserError(f'form {form!r}: use one of {", ".join(FORMS)}')
  if os.fspath(source).startswith(_TFDS):
    path = tfds_folders.find(os.fspath(source)[len(_TFDS) :], data_dir)
  else:
    path = storage.locate(source)
  if not path.exists():
    raise UserError(f'source {source}: no such file or folder')
  if not path.is_dir():
    storage.require_file(path)
  opened = FORMS[form or find_form(path)].open_source(path)
  if not len(opened):
    raise UserError(f'source {source} holds no images')
  return opened


def find_form(path: epath.Path) -> str:
  """The name of the form of what is at a path.

  Raises:
    UserError: it is of none.
  """
  for name, form in FORMS.items():
    if form.holds(path):
      return name
  if path.is_dir():
    return 'folder'  # which says what else is in it
  known = ', '.join(form.TITLE for form in FORMS.values())
  raise UserError(f'source {path} is none of: {known}')
