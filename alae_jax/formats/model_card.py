"""What an exported folder says of itself: README.md and a picture."""

import re
from collections.abc import Mapping

from alae_jax import __version__
from alae_jax.errors import UserError, printable
from alae_jax.formats.exporters import PREVIEW, WEIGHTS, StoredRun
from alae_jax.inference import latents, pictures
from alae_jax.inference.model import Model
from alae_jax.runs import records, series

_SEEDS, _COLUMNS, _PSI = range(16), 4, 0.7

_FRONT = """---
license: {license}
library_name: alae_jax
pipeline_tag: unconditional-image-generation
tags: [alae, autoencoder, gan, jax]
---
"""
_TO_FILL_IN = 'unknown  # to fill in: what others may do with these weights'

_CARD = """{front}
# {title}

An Adversarial Latent Autoencoder ([Pidhorskyi, Adjeroh, Doretto, CVPR
2020](https://arxiv.org/abs/2004.04467)): F maps z to w, G makes images of w,
and E finds the w of an image.

![samples]({preview})

Samples of seeds 0 to 15, truncated to {psi:g}.

| | |
|---|---|
{facts}

**Licence**: {license}; the data
that the model was trained on may have a say in it.

## Metrics

{metrics}

## Files

{remote}The examples run in this folder, after

```
pip install {packages}
```

and with alae_jax where they import it.

{guide}"""


_REMOTE = """`alae_jax.load('{address}')`, and every `alae` command that takes a
run folder, fetch the model by that address.

"""


def preview(model: Model) -> bytes:
  """A PNG of samples, those that `alae generate` makes of the same seeds."""
  styles, keys = latents.from_seeds(model, _SEEDS, _PSI)
  images = latents.draw(model, styles, 'random', keys)
  return pictures.encode_png(pictures.grid(pictures.enlarge(images), _COLUMNS))


def front(license: str | None = None) -> str:
  """The first lines of README.md, which the hub reads: YAML.

  Args:
    license: by its name on the hub, or None for one to be filled in.

  Raises:
    UserError: no licence has such a name there.
  """
  if license is not None and not re.fullmatch(r'[a-z][a-z0-9.-]+', license):
    raise UserError(
      f'license {license!r} is none that the hub knows: name one such as '
      'apache-2.0, cc-by-nc-4.0 or other'
    )
  return _FRONT.format(license=license or _TO_FILL_IN)


def write(
  run: StoredRun,
  guide: Mapping[str, str],
  license: str | None = None,
  address: str | None = None,
) -> str:
  """The text of README.md: a model card, and how each file is used.

  Args:
    run: that was exported.
    guide: {file: Markdown about it}.
    license: see `front`.
    address: on the hub, where the files will be, if they will.
  """
  model = run.loaded.model
  side = f'{model.resolution}x{model.resolution}'
  return _CARD.format(
    front=front(license),
    license=license or 'to fill in, here and in the first lines of this file',
    remote=_remote(address, guide),
    title=f'ALAE, {_data(model)}, {side}',
    preview=PREVIEW,
    psi=_PSI,
    facts=_table(_facts(run).items()),
    metrics=_metrics(run),
    packages=' '.join(_packages(guide)),
    guide='\n'.join(f'### {name}\n\n{text}' for name, text in guide.items()),
  )


def _remote(address: str | None, guide: Mapping[str, str]) -> str:
  """How the files are used from where they will be, if they can be."""
  if address is None or not set(WEIGHTS) <= set(guide):
    return ''
  return _REMOTE.format(address=address)


def _facts(run: StoredRun) -> dict[str, str]:
  loaded, model = run.loaded, run.loaded.model
  side = model.resolution
  fading = f', faded in by {100 * model.blend:.0f}%' if model.blend < 1 else ''
  return {
    'dataset': f'`{_data(model)}`',
    'images': f'{side}x{side}x{model.channels}{fading}',
    'images seen': f'{loaded.images_seen:,}',
    'weights': {'ema': 'moving average (EMA)', 'live': 'as trained'}[
      loaded.weights
    ],
    'model': f'{model.config.model.kind}; z {model.z_dim}, w {model.w_dim}, '
    f'{model.active_layers} layers of styles',
    'computed in': model.config.train.compute_dtype,
    'exported by': f'alae_jax {__version__}',
  }


def _data(model: Model) -> str:
  return _cell(model.config.data.name)


def _metrics(run: StoredRun) -> str:
  """The newest of each number that was computed of these weights so far."""
  seen, weights = run.loaded.images_seen, run.loaded.weights
  curves = series.curves_of(
    record
    for record in records.each(run.loaded.folder.metrics)
    if record['images_seen'] <= seen
  )
  rows = [
    (
      _cell(one.name),
      f'{one.values[-1]:.4g}',
      f'{one.images_seen[-1]:,.0f}',
      _cell(', '.join(f'{k} {v}' for k, v in one.setting.items())),
    )
    for one in curves.series
    if one.setting is not None and one.setting.get('weights') == weights
  ]
  if not rows:
    return 'None recorded: `alae evaluate` computes them.'
  return '\n'.join(
    ['| number | value | after images seen | how |', '|---|---|---|---|']
    + [_table([row]) for row in rows]
  )


def _table(rows) -> str:
  return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def _cell(text: str) -> str:
  """A text of the user's as Markdown takes it for nothing else."""
  return re.sub(r'[|`<>\[\]]', '', printable(text, 200))


def _packages(guide: Mapping[str, str]) -> list[str]:
  """What the examples import, by the names that pip knows."""
  imported = {
    name
    for text in guide.values()
    for name in re.findall(r'^(?:import|from) (\w+)', text, re.MULTILINE)
  } - {'alae_jax'}
  # jax.export reads programs with it, and does not bring it.
  if any('jax.export' in text for text in guide.values()):
    imported.add('flatbuffers')
  return sorted(imported)
