"""What `alae export` writes of a run that still grows, and what it refuses."""

import errno
import importlib.util
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

import alae_jax
from alae_jax import cli, storage
from alae_jax.formats import exporting, model_card
from alae_jax.inference import loading
from alae_jax.inference.model import Model
from tests.commands.conftest import content
from tests.support import example_runs
from tests.support.verbs import alae, names, refused

# Of a run of 4 levels, 4x4 to 32x32, with 160 images a level, of which the
# first 80 fade it in: images seen, the level written, what is said of it.
STAGES = {
  'nothing below': (192, 1, '8x8, not 32x32; 8x8 has faded in by 34% and is w'),
  'second level': (320, 1, '8x8, not 32x32\n'),
  'fade begun': (352, 1, '8x8, not 32x32; 16x16 has faded in by 34% and is le'),
  'half faded in': (368, 2, '16x16, not 32x32; 16x16 has faded in by 65% and'),
  'last level fades': (528, 3, '\n32x32 has faded in by 65% and is written as'),
  'last level': (640, 3, 'model.pth\n'),
}


@pytest.mark.parametrize('stage', STAGES)
def test_the_trained_levels_are_exported(tmp_path, capsys, monkeypatch, stage):
  pytest.importorskip('torch')
  monkeypatch.setattr(model_card, 'preview', lambda _: b'')  # saves seconds
  images_seen, level, said = STAGES[stage]
  workdir = example_runs.growing_run(tmp_path / 'run', images_seen)
  alae('export', workdir, '--format', 'release', '--out', tmp_path / 'out')
  assert said in capsys.readouterr().out
  back = str(tmp_path / 'back')
  alae('import', tmp_path / 'out' / 'model.pth', '--workdir', back)
  imported = alae_jax.load(back)
  assert (imported.level, imported.blend) == (level, 1.0)
  assert imported.resolution == 4 << level
  assert imported.config.model.levels == level + 1
  assert imported.config.model.base_channels == min(8, 4 << 3 - level)
  stored = loading.load_state(workdir)
  was = Model(
    stored.config,
    stored.networks,
    stored.state.ema,
    stored.state.mean_w,
    level,
    1.0,
  )
  np.testing.assert_array_equal(imported.mean_w, was.mean_w[: 2 * level + 2])
  w = was.map(jax.random.normal(jax.random.key(0), (2, 4)))
  images = was.decode(w)
  np.testing.assert_allclose(imported.decode(w), images, rtol=0, atol=1e-5)
  np.testing.assert_allclose(
    imported.encode(images), was.encode(images), rtol=1e-4, atol=1e-4
  )


# Runs a README's example where nothing of JAX can be imported.
WITH_TORCH_ALONE = """
import re, sys
import numpy as np
for name in ('jax', 'jaxlib', 'flax', 'alae_jax'):
  sys.modules[name] = None
(block,) = re.findall(
  r'```python\\n(.*?)```', open('README.md').read(), re.DOTALL
)
names = {}
exec(block, names)
np.save(sys.argv[1], names['networks']['generator_s']['const'].numpy())
"""


def test_torch_alone_reads_a_releases_checkpoint(style, tmp_path):
  pytest.importorskip('torch')
  out = tmp_path / 'out'
  alae('export', style, '--format', 'release', '--out', out)
  subprocess.run(
    [sys.executable, '-P', '-c', WITH_TORCH_ALONE, tmp_path / 'const.npy'],
    cwd=out,
    check=True,
    timeout=120,
  )
  const = loading.load_state(style).state.ema['generator']['const']
  np.testing.assert_array_equal(
    np.load(tmp_path / 'const.npy').transpose(0, 2, 3, 1).reshape(const.shape),
    const,
  )


def test_a_run_of_one_level_is_no_model_yet(tmp_path, capsys):
  workdir = example_runs.growing_run(tmp_path / 'run', 160)
  out = tmp_path / 'out'
  said = refused(capsys, 'export', workdir, '--format', 'release', '--out', out)
  assert 'has only trained 4x4' in said
  assert not out.exists()


@pytest.mark.parametrize(
  ('made', 'said'),
  [
    ('out', '--out {out} is a file: name a folder'),
    (
      'out/model.pth',
      '{out}/model.pth exists: name another folder, or allow to',
    ),
  ],
)
def test_nothing_is_loaded_where_nothing_can_be_written(
  tmp_path, capsys, monkeypatch, made, said
):
  def load_run(*_):
    raise AssertionError('loaded')

  monkeypatch.setattr(exporting, 'load_run', load_run)
  (tmp_path / made).parent.mkdir(exist_ok=True)
  (tmp_path / made).touch()
  out = tmp_path / 'out'
  assert (
    cli.main(['export', 'a_run', '--format', 'release', '--out', str(out)]) == 2
  )
  assert capsys.readouterr().err.startswith(f'alae: {said.format(out=out)}')


@pytest.mark.parametrize('out', ['checkpoints', 'checkpoints/16/new', 'link/x'])
def test_nothing_is_put_among_the_checkpoints(tmp_path, capsys, out):
  run = tmp_path / 'run'
  (run / 'checkpoints' / '16').mkdir(parents=True)
  (run / 'link').symlink_to('checkpoints')
  said = refused(
    capsys, 'export', run, '--format', 'release', '--out', run / out
  )
  assert f'--out {run / out} is among the checkpoints' in said


def test_a_file_beside_the_checkpoints_does_no_harm(tmp_path):
  pytest.importorskip('torch')
  workdir = example_runs.growing_run(tmp_path / 'run', 640)
  alae('export', workdir, '--format', 'release', '--out', workdir)
  assert alae_jax.load(workdir).resolution == 32


@pytest.mark.parametrize(
  ('formats', 'said'),
  [
    ('safetensor', "--format 'safetensor' is none of safetensors, stablehlo"),
    ('', "--format '' is none of"),
    ('safetensors,', "--format '' is none of"),
    ('safetensors,safetensors', '--format safetensors is given twice'),
  ],
)
def test_a_wrong_format_is_named(tmp_path, capsys, formats, said):
  words = ['export', 'x', '--format', formats, '--out', tmp_path / 'out']
  assert said in refused(capsys, *words)


@pytest.mark.parametrize(
  ('form', 'package'), [('stablehlo', 'flatbuffers'), ('onnx', 'onnx')]
)
def test_a_missing_package_is_named(
  tmp_path, capsys, monkeypatch, form, package
):
  find_spec = importlib.util.find_spec
  monkeypatch.setattr(
    importlib.util,
    'find_spec',
    lambda name, *rest: None if name == package else find_spec(name, *rest),
  )
  words = ['export', 'x', '--format', form, '--out', tmp_path / 'out']
  said = refused(capsys, *words)
  assert f"--format {form} needs {package}: pip install 'alae_jax[" in said


def test_nothing_is_replaced_unless_asked(mlp, tmp_path, capsys):
  words = ['export', mlp, '--format', 'safetensors', '--out', tmp_path]
  alae(*words)
  before = content(tmp_path)
  assert 'exists: name another folder' in refused(capsys, *words)
  assert content(tmp_path) == before
  (tmp_path / 'preview.png').unlink()
  (tmp_path / 'preview.png').mkdir()
  assert 'is a folder' in refused(capsys, *words, '--overwrite')
  (tmp_path / 'preview.png').rmdir()
  alae(*words, '--weights', 'live', '--overwrite')
  assert alae_jax.load(str(tmp_path)).weights == 'live'


def test_files_of_an_earlier_export_do_not_stay(style, tmp_path, capsys):
  (tmp_path / 'model.pth').touch()
  words = ['export', style, '--format', 'safetensors', '--out', tmp_path]
  alae(*words)  # another's model.pth may be there
  said = refused(capsys, *words, '--overwrite')
  assert 'model.pth is of an earlier export' in said


@pytest.mark.parametrize('where', ['itself', 'another run', 'an export'])
def test_no_model_loses_its_config(mlp, tmp_path, capsys, where):
  run, out = shutil.copytree(mlp, tmp_path / 'run'), tmp_path / 'out'
  words = ['--format', 'safetensors', '--overwrite', '--out']
  if where == 'itself':
    out = run
  elif where == 'another run':
    shutil.copytree(mlp, out)
  else:
    alae('export', run, *words, out)
    run = out
  before = content(tmp_path)
  said = refused(capsys, 'export', run, *words, out)
  assert 'is a model already, whose config.json would be replaced' in said
  assert content(tmp_path) == before


def test_what_fails_leaves_nothing(mlp, tmp_path, monkeypatch):
  write_whole, out = storage.write_whole, tmp_path / 'out'

  def full(path, content):
    if path.name == 'preview.png':
      raise OSError(errno.ENOSPC, 'No space left on device', str(path))
    write_whole(path, content)

  monkeypatch.setattr(storage, 'write_whole', full)
  words = ['export', mlp, '--format', 'safetensors', '--out', str(out)]
  assert cli.main(words) == 1
  assert not out.exists()
  out.mkdir()
  (out / 'note.txt').touch()
  assert cli.main(words) == 1
  assert names(out) == {'note.txt'}
