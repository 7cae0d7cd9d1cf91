"""Exporter: a checkpoint of the authors' PyTorch release."""

import math

import jax
import numpy as np

from alae_jax.errors import UserError
from alae_jax.formats.exporters import Exported, StoredRun
from alae_jax.formats.release import KINDS, cut
from alae_jax.formats.release_file import encode_release_checkpoint
from alae_jax.inference.loading import StoredState
from alae_jax.runs.schedule import build_schedule, segment_at

FILE = 'model.pth'

_GUIDE = """A checkpoint as the authors' PyTorch release saves its own, in
float64. Networks under a name and `_s` are the moving average; `alae import`
reads it too.

```python
import torch

networks = torch.load('model.pth', weights_only=True)['models']
for name in networks:
  print(name, len(networks[name]), 'tensors')
```
"""


def export(run: StoredRun) -> Exported:
  """`model.pth`: of a run that grows the trained levels, `level_to_export`.

  Raises:
    UserError: it is no StyleALAE, only 4x4 is trained, PyTorch is missing, or
      the folder has not both the live and the EMA networks.
  """
  kind = run.loaded.model.config.model.kind
  if kind not in KINDS:
    raise UserError(
      f'{run.workdir} holds an {kind} model: the release has a layout for '
      'StyleALAE alone'
    )
  stored = run.both()
  level, note = level_to_export(stored)
  if level == 0:
    raise UserError(
      f'{run.workdir} has only trained 4x4 yet, and 8x8 is the smallest model '
      'there is: export it when the next level has begun'
    )
  params, ema, mean_w = jax.tree.map(
    np.asarray, (stored.state.params, stored.state.ema, stored.state.mean_w)
  )
  model = cut(stored.config.model.to_dict(), level + 1)
  mean_w = mean_w[: 2 * model['levels']]
  content = encode_release_checkpoint(params, ema, mean_w, model)
  said = f'{_GUIDE}\nOf this run: {note}.\n' if note else _GUIDE
  return Exported({FILE: content}, {FILE: said}, note)


def level_to_export(stored: StoredState) -> tuple[int, str]:
  """The highest level that is worth exporting, and what is to say about it.

  The release's layout has no place for a level that is only partly faded in.
  Such a level is exported as if it had faded in where it already makes up half
  of the images, or is the first that makes a model, and else left out.

  Args:
    stored: a StyleALAE's state.

  Returns:
    The level, and a note or ''.
  """
  segment = segment_at(build_schedule(stored.config), stored.images_seen - 1)
  level, blend = segment.level, segment.blend(stored.images_seen)
  last = stored.config.model.levels - 1
  fade = f'{_size(level)} has faded in by {math.floor(100 * blend)}%'
  notes = []
  if blend < 0.5 and level > 1:
    notes = [f'{fade} and is left out']
    level -= 1
  elif blend < 1:
    notes = [f'{fade} and is written as if it had wholly']
  if level < last:
    notes = [f'written as a model of {_size(level)}, not {_size(last)}', *notes]
  return level, '; '.join(notes)


def _size(level: int) -> str:
  return f'{4 << level}x{4 << level}'
