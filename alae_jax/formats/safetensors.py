"""Exporter: weights and config, for alae_jax and for everyone else."""

from alae_jax.formats.exporters import WEIGHTS, Exported, StoredRun
from alae_jax.runs import exported as exported_lib

_TENSORS = """The weights, float32, by the path of each in the parameters:
`mapping.*` (F), `generator.*` (G), `encoder.*` (E), `discriminator.*` (D). A
`kernel` is stored as it is trained, before its equalising factor; convolutions
are [height, width, in, out], dense layers [in, out]. `mean_w` [layers, w_dim]
is the centre that truncation draws w to.

```python
from safetensors.numpy import load_file

tensors = load_file('model.safetensors')
for name in sorted(tensors):
  print(name, tensors[name].shape)
```
"""
_CONFIG = """The config of the run, and in `exported` which weights these are:
level of resolution, blend (how far it has faded in), images seen, EMA or live.
With it alae_jax, and every `alae` command, reads this folder as it reads a run:

```python
import alae_jax
import jax

model = alae_jax.load('.')
images = model.generate(jax.random.key(0), 4, truncation_psi=0.7)
w = model.encode(images.clip(-1, 1))
alae_jax.save_images(model.decode(w), 'reconstructed.png')
```
"""


def export(run: StoredRun) -> Exported:
  """`model.safetensors` and `config.json`, see runs.exported."""
  model = run.loaded.model
  content = exported_lib.encode(
    model.config,
    exported_lib.to_tensors(model.params, model.mean_w),
    model.level,
    model.blend,
    run.loaded.images_seen,
    run.loaded.weights,
  )
  return Exported(
    dict(zip(WEIGHTS, content, strict=True)),
    dict(zip(WEIGHTS, (_TENSORS, _CONFIG), strict=True)),
  )
