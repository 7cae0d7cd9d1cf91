"""Commands that take a run folder take a model on the hub."""

import json
import os
import pathlib

import pytest

import alae_jax
from tests.support import verbs
from tests.support.hub import model_files
from tests.support.measured import make_metric
from tests.support.verbs import alae, refused

ADDRESS = 'hf://ada/digits'


@pytest.fixture
def commit(hub):
  return hub.add('ada/digits', model_files())


def test_images_are_generated_and_say_of_which_commit(hub, commit, tmp_path):
  words = ['--seeds', '0-1', '--out', tmp_path]
  alae('generate', ADDRESS, *words)
  record = verbs.record(tmp_path, 'generate')
  assert record['address'] == f'{ADDRESS}@{commit}'
  assert record['arguments']['workdir'] == ADDRESS
  before = (tmp_path / 'seed0001.png').read_bytes()
  hub.add('ada/digits', model_files(0.5))
  alae('generate', record['address'], *words, '--overwrite')
  assert (tmp_path / 'seed0001.png').read_bytes() == before


def test_the_record_of_a_run_tells_of_no_address(mlp, tmp_path):
  alae('generate', mlp, '--seeds', '0', '--out', tmp_path)
  assert 'address' not in verbs.record(tmp_path, 'generate')


def test_another_verb(commit, tmp_path):
  words = ['--steps', '2', '--noise', 'none', '--out', tmp_path]
  alae('interpolate', f'{ADDRESS}@main', '0-1', *words)
  record = verbs.record(tmp_path, 'interpolate')
  assert record['address'] == f'{ADDRESS}@{commit}'


def test_numbers_are_printed_and_not_put_in_the_cache(
  hub, commit, mlp, capsys, monkeypatch
):
  make_metric(monkeypatch, 'probe', lambda _: {'number': 1.5})
  alae('evaluate', ADDRESS, mlp, '--metrics', 'probe')
  out, err = capsys.readouterr()
  assert f'{ADDRESS}@{commit}' in out
  assert '1.5' in out
  assert f'{ADDRESS}@{commit} is on the hub: its numbers are not rec' in err
  model = pathlib.Path(os.environ['HF_HOME'], 'hub', 'models--ada--digits')
  (snapshot,) = (model / 'snapshots').iterdir()
  assert verbs.names(snapshot) == {'config.json', 'model.safetensors'}
  assert 'number' in pathlib.Path(mlp, 'metrics.jsonl').read_text()


def test_it_is_exported_again(commit, tmp_path, capsys):
  alae('export', ADDRESS, '--format', 'safetensors', '--out', tmp_path / 'out')
  config = json.loads((tmp_path / 'out' / 'config.json').read_text())
  assert config == json.loads(model_files()['config.json'])
  assert alae_jax.load(str(tmp_path / 'out')).address == ''


def test_what_it_lacks_is_refused(commit, tmp_path, capsys):
  out = ['--out', tmp_path / 'out']
  words = ['generate', ADDRESS, '--seeds', '0', *out]
  said = refused(capsys, *words, '--checkpoint', 'best')
  assert f"--checkpoint 'best': {ADDRESS}@{commit} is an exported" in said
  said = refused(capsys, *words, '--weights', 'live')
  assert f'--weights live: {ADDRESS}@{commit} is an exported' in said
  said = refused(capsys, 'export', ADDRESS, '--format', 'release', *out)
  assert f'{ADDRESS} holds an mlp model' in said
  assert not (tmp_path / 'out').exists()


def test_a_wrong_address_is_wrong_use(tmp_path, capsys):
  for words in (
    ['generate', 'hf://digits', '--seeds', '0', '--out', tmp_path / 'out'],
    ['evaluate', 'hf://digits', '--metrics', 'probe'],
  ):
    said = refused(capsys, *words)
    assert "'hf://digits' is no address of the hub (it names no user)" in said


def test_nobody_trains_there_or_from_there(tmp_path, capsys):
  words = ['train', '--config=experiments/digits.py']
  start = f'--config.train.init_from={ADDRESS}'
  said = refused(capsys, *words, f'--workdir={tmp_path / "run"}', start)
  assert f'config.train.init_from {ADDRESS}: models on the hub' in said
  assert not (tmp_path / 'run').exists()
  said = refused(capsys, *words, f'--workdir={ADDRESS}')
  assert 'a remote path must begin with gs://BUCKET' in said
