"""README.md and the picture of an exported folder."""

import json
import re
import shutil

import numpy as np

import alae_jax
from alae_jax.formats import model_card
from alae_jax.inference import pictures
from tests.support.verbs import alae, pixels, refused


def export(run, out, form='safetensors', *words):
  alae('export', run, '--format', form, '--out', out, *words)
  return (out / 'README.md').read_text()


def test_the_examples_with_alae_jax_run(exported_run, tmp_path, monkeypatch):
  # The others run in test_stablehlo.
  folder = shutil.copytree(exported_run.folder, tmp_path / 'copy')
  readme = (folder / 'README.md').read_text()
  blocks = re.findall(r'```python\n(.*?)```', readme, re.DOTALL)
  (block,) = [block for block in blocks if 'import alae_jax' in block]
  monkeypatch.chdir(folder)
  exec(block, {})
  assert (folder / 'reconstructed.png').exists()


def test_every_file_is_told_of(exported_run):
  readme = (exported_run.folder / 'README.md').read_text()
  there = {path.name for path in exported_run.folder.iterdir()}
  told = set(re.findall(r'^### (\S+)$', readme, re.MULTILINE))
  assert told == there - {'README.md', 'preview.png'}
  assert 'license: unknown  # to fill in' in readme
  assert '`digits`' in readme
  assert f'| images seen | {exported_run.model.images_seen} |' in readme


def test_the_picture_shows_what_generate_makes(exported_run, tmp_path):
  words = ['--seeds', '0-15', '--truncation', '0.7', '--out', tmp_path]
  alae('generate', exported_run.run, *words)
  images = [pixels(tmp_path / f'seed{seed:04d}.png') for seed in range(16)]
  images = np.stack(images)[..., None]
  np.testing.assert_array_equal(
    pixels(exported_run.folder / 'preview.png'),
    pictures.grid(pictures.enlarge(images), 4)[..., 0],
  )


def test_the_newest_metrics_of_these_weights_are_shown(mlp, tmp_path):
  run = shutil.copytree(mlp, tmp_path / 'run')
  (run / 'metrics.jsonl').write_text(
    ''.join(
      json.dumps(record) + '\n'
      for record in (
        {'images_seen': 16, 'step': 1, 'seconds': 1.0, 'loss_latent': 77.0},
        {'images_seen': 8, 'fid5k': 40.5, 'weights': 'ema', 'metric': 'fid5k'},
        {
          'images_seen': 16,
          'fid5k': 30.25,
          'weights': 'ema',
          'protocol': 'p|q',
        },
        {'images_seen': 16, 'rec/psnr': 12.5, 'weights': 'ema'},
        {'images_seen': 16, 'fid5k': 50.0, 'weights': 'live'},
        {'images_seen': 32, 'fid5k': 20.0, 'weights': 'ema', 'protocol': 'p|q'},
      )
    )
  )
  readme = export(run, tmp_path / 'out')
  assert '| fid5k | 30.25 | 16 | weights ema, protocol pq |' in readme
  assert '| rec/psnr | 12.5 | 16 | weights ema |' in readme
  for other in ('77', '| 50 |', '| 20 |'):
    assert other not in readme
  assert 'None recorded' not in readme
  live = export(run, tmp_path / 'live', 'safetensors', '--weights', 'live')
  assert '| fid5k | 50 |' in live
  assert alae_jax.load(str(tmp_path / 'live')).weights == 'live'


def test_the_licence_is_filled_in(mlp, tmp_path, monkeypatch):
  monkeypatch.setattr(model_card, 'preview', lambda _: b'a picture')
  empty = export(mlp, tmp_path / 'empty')
  assert empty.startswith('---\nlicense: unknown  # to fill in')
  assert '**Licence**: to fill in, here and in the first lines' in empty
  full = export(mlp, tmp_path / 'full', 'safetensors', '--license', 'mit')
  assert full.startswith('---\nlicense: mit\nlibrary_name: alae_jax\n')
  assert '**Licence**: mit;' in full
  assert 'to fill in' not in full


def test_a_word_that_names_no_licence_is_refused(tmp_path, capsys):
  words = ['export', 'x', '--format', 'safetensors', '--out', tmp_path / 'out']
  said = refused(capsys, *words, '--license', 'My own!')
  assert "--license 'My own!' is none that the hub knows: name one" in said
