"""A trained model in the formats of others."""

import jax
import numpy as np

from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.formats.release import KINDS
from alae_jax.formats.release_file import write_release_checkpoint
from alae_jax.inference.loading import load_state

FILE = 'model.pth'


def export_release(
  workdir: str, out: str, checkpoint: int | None = None
) -> str:
  """Writes a run's checkpoint as the authors' release saves its own.

  Args:
    workdir: a run folder.
    out: a folder, made if need be.
    checkpoint: images seen; None for the newest.

  Returns:
    The path of the file.

  Raises:
    UserError: there is no StyleALAE in the folder, the file exists, `out` is a
      file, or PyTorch is missing.
  """
  folder = storage.locate(out)
  path = folder / FILE
  if folder.exists() and not folder.is_dir():
    raise UserError(f'out {out} is a file: name a folder')
  storage.require_folder(folder)
  if path.exists():
    raise UserError(f'{path} exists: name another folder')
  stored = load_state(workdir, checkpoint)
  if stored.config.model.kind not in KINDS:
    raise UserError(
      f'{workdir} holds an {stored.config.model.kind} model: '
      'the release has a layout for StyleALAE alone'
    )
  params, ema, mean_w = jax.tree.map(
    np.asarray, (stored.state.params, stored.state.ema, stored.state.mean_w)
  )
  folder.mkdir(parents=True, exist_ok=True)
  write_release_checkpoint(
    str(path), params, ema, mean_w, stored.config.model.to_dict()
  )
  return str(path)
