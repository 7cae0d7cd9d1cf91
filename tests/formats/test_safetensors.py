"""An exported folder is readable by others, and by us as its run is."""

import hashlib
import json
import pathlib
import shutil

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import alae_jax
from alae_jax import config as config_lib
from alae_jax.errors import UserError
from alae_jax.inference import loading
from tests.support import example_runs, verbs
from tests.support.measured import make_metric
from tests.support.runs import make_tiny_config


def test_tensors_have_the_parameters_names(exported_run):
  tensors = load_file(exported_run.folder / 'model.safetensors')
  state = loading.load_state(exported_run.run).state
  leaves = jax.tree_util.tree_leaves_with_path(state.ema)
  assert len(tensors) == len(leaves) + 1
  for path, leaf in leaves:
    name = '.'.join(key.key for key in path)
    np.testing.assert_array_equal(tensors[name], leaf)
  np.testing.assert_array_equal(tensors['mean_w'], state.mean_w)
  assert {tensor.dtype for tensor in tensors.values()} == {np.dtype('float32')}


def test_the_config_says_which_weights_these_are(exported_run):
  config = json.loads((exported_run.folder / 'config.json').read_text())
  facts = config.pop('exported')
  model = exported_run.model
  assert facts.pop('sha256')
  assert facts == {
    'level': model.level,
    'blend': model.blend,
    'images_seen': model.images_seen,
    'weights': 'ema',
  }
  run = json.loads(pathlib.Path(exported_run.run, 'config.json').read_text())
  # The dataset's folder is this machine's.
  run['data']['data_dir'] = config_lib.default().data.data_dir
  assert config == run


def test_no_folder_of_this_machine_is_told(tmp_path):
  config = make_tiny_config()
  config.data.data_dir = str(tmp_path / 'data')
  config.train.init_from = str(tmp_path / 'other@64')
  run = example_runs.write_run(tmp_path / 'run', config)
  out = tmp_path / 'out'
  verbs.alae('export', run, '--format', 'safetensors', '--out', out)
  for name in ('config.json', 'README.md'):
    assert str(tmp_path) not in (out / name).read_text()
  assert alae_jax.load(str(out)).config.train.init_from == ''


def test_the_folder_loads_as_its_run_to_the_last_bit(exported_run):
  ours, theirs = exported_run.model, alae_jax.load(str(exported_run.folder))
  assert repr(theirs) == repr(ours)
  assert (theirs.level, theirs.blend) == (ours.level, ours.blend)
  key = jax.random.key(3)
  images = ours.generate(key, 3, 0.7).clip(-1, 1)
  w = ours.encode(images)
  np.testing.assert_array_equal(theirs.encode(images), w)
  for noise in (None, key):
    np.testing.assert_array_equal(
      theirs.decode(w, noise), ours.decode(w, noise)
    )
  np.testing.assert_array_equal(
    theirs.generate(key, 3, 0.7).clip(-1, 1), images
  )
  np.testing.assert_array_equal(
    theirs.discriminate(images), ours.discriminate(images)
  )


def test_verbs_read_it_as_a_run(exported_run, tmp_path):
  for name in ('run', 'folder'):
    path, out = getattr(exported_run, name), tmp_path / name
    verbs.alae('generate', path, '--seeds', '0-1', '--out', out)
  assert (tmp_path / 'run' / 'seed0001.png').read_bytes() == (
    tmp_path / 'folder' / 'seed0001.png'
  ).read_bytes()
  folder, again = exported_run.folder, tmp_path / 'again'
  verbs.alae('export', folder, '--format', 'safetensors', '--out', again)
  for name in ('model.safetensors', 'config.json', 'preview.png'):
    assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_it_is_evaluated_and_keeps_the_numbers(mlp, tmp_path, monkeypatch):
  make_metric(monkeypatch, 'probe', lambda _: {'number': 1.5})
  words = ['--format', 'safetensors', '--out']
  verbs.alae('export', mlp, *words, tmp_path / 'out')
  verbs.alae('evaluate', tmp_path / 'out', '--metrics', 'probe')
  assert '"number": 1.5' in (tmp_path / 'out' / 'metrics.jsonl').read_text()
  verbs.alae('export', tmp_path / 'out', *words, tmp_path / 'again')
  assert '| number | 1.5 |' in (tmp_path / 'again' / 'README.md').read_text()


def test_what_it_lacks_is_refused(exported_run, tmp_path, capsys):
  folder, seen = exported_run.folder, exported_run.model.images_seen
  generate = ['generate', folder, '--seeds', '0', '--out', tmp_path / 'out']
  for checkpoint in ('best', '17'):
    said = verbs.refused(capsys, *generate, '--checkpoint', checkpoint)
    assert f'is an exported model, after {seen} images seen' in said
    assert said.startswith('alae: --checkpoint')
  said = verbs.refused(capsys, *generate, '--weights', 'live')
  assert '--weights live' in said
  assert 'of the ema weights' in said
  alae_jax.load(str(folder), checkpoint=seen, weights='ema')
  with pytest.raises(UserError, match='of the ema weights alone: give its run'):
    loading.load_state(str(folder))


def test_nobody_trains_in_it_or_from_it(exported_run, tmp_path, capsys):
  words = ['train', '--config=experiments/digits.py', '--workdir']
  said = verbs.refused(capsys, *words, exported_run.folder)
  assert '--workdir' in said
  assert 'holds an exported model' in said
  start = f'--config.train.init_from={exported_run.folder}'
  said = verbs.refused(capsys, *words, tmp_path / 'new', start)
  assert 'is an exported model: name its run' in said
  assert not (tmp_path / 'new').exists()


@pytest.fixture
def copy(exported_run, tmp_path):
  return shutil.copytree(exported_run.folder, tmp_path / 'copy')


def edit(folder, change):
  path = folder / 'config.json'
  config = json.loads(path.read_text())
  change(config)
  path.write_text(json.dumps(config))


FACTS = {
  'level': [-1, 9, 1.0, True, None],
  'blend': [-0.1, 2, 'x', None],
  'images_seen': ['x', None],
  'weights': ['x', 3],
  'sha256': ['x' * 64, None],
}


@pytest.mark.parametrize('field', FACTS)
def test_a_wrong_fact_is_refused(copy, field):
  for value in FACTS[field]:
    edit(
      copy,
      lambda config, value=value: config['exported'].update({field: value}),
    )
    with pytest.raises(UserError, match=r'config\.json|damaged'):
      alae_jax.load(str(copy))


def test_a_section_of_another_kind_is_refused(copy):
  edit(copy, lambda config: config.update(exported=3))
  with pytest.raises(UserError, match='section exported is not'):
    alae_jax.load(str(copy))


def test_a_lacking_or_damaged_file_is_refused(copy):
  path = copy / 'model.safetensors'
  path.write_bytes(path.read_bytes()[:-1])
  with pytest.raises(UserError, match='damaged, or of another export'):
    alae_jax.load(str(copy))
  path.unlink()
  with pytest.raises(UserError, match='no such file'):
    alae_jax.load(str(copy))


def test_other_tensors_are_refused_by_name(copy):
  path = copy / 'model.safetensors'
  tensors = load_file(path)
  wrong = {**tensors, 'mean_w': tensors['mean_w'][:, :-1].copy()}
  lacking = {name: x for name, x in tensors.items() if name != 'mean_w'}
  more = {**tensors, 'encoder.more': tensors['mean_w']}
  for content, said in [
    (wrong, 'mean_w is .* there and'),
    (lacking, 'mean_w is missing there'),
    (more, 'encoder.more is .* there and missing by'),
  ]:
    save_file(content, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    edit(copy, lambda config, s=sha256: config['exported'].update(sha256=s))
    with pytest.raises(UserError, match=said):
      alae_jax.load(str(copy))
  path.write_bytes(b'no safetensors')
  sha256 = hashlib.sha256(b'no safetensors').hexdigest()
  edit(copy, lambda config: config['exported'].update(sha256=sha256))
  with pytest.raises(UserError, match='is no safetensors file'):
    alae_jax.load(str(copy))
