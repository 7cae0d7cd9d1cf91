"""Exports are pushed to the hub, whole, and are loaded from there."""

import subprocess
import sys

import pytest

from alae_jax import cli
from alae_jax.formats import exporting, model_card
from alae_jax.runs.folder import open_folder
from tests.support.hub import model_files
from tests.support.verbs import alae, names, refused

NAME, ADDRESS = 'ada/digits', 'hf://ada/digits'
FILES = {'config.json', 'model.safetensors', 'README.md', 'preview.png'}


@pytest.fixture
def words(mlp, tmp_path, monkeypatch):
  """`alae export RUN --push ADDRESS`, without a picture, which takes time."""
  monkeypatch.setattr(model_card, 'preview', lambda _: b'a picture')
  out = tmp_path / 'out'
  start = ['export', mlp, '--format', 'safetensors', '--out', out]
  return [*start, '--push', ADDRESS]


@pytest.fixture
def unloaded(monkeypatch):
  """Fails where work begins that a refusal should have come before."""

  def load_run(*_):
    raise AssertionError('loaded')

  monkeypatch.setattr(exporting, 'load_run', load_run)


SAME = """
import sys, jax, numpy as np, alae_jax
here, there = (alae_jax.load(name) for name in sys.argv[1:])
key = jax.random.key(0)
w = here.map(jax.random.normal(key, (3, here.z_dim)))
for one, other in (
  (here.generate(key, 3, 0.7), there.generate(key, 3, 0.7)),
  (here.decode(w), there.decode(w)),
):
  np.testing.assert_array_equal(one, other)
print(there.address)
"""


def test_what_is_pushed_is_loaded_elsewhere_to_the_last_bit(
  hub, mlp, words, capsys
):
  alae(*words, '--license', 'apache-2.0')
  commit = hub.repositories[NAME].branches['main']
  said = capsys.readouterr().out
  assert f'pushed {ADDRESS}@{commit}: {hub.url}/{NAME}/commit/{commit}' in said
  assert 'names no licence' not in said
  done = subprocess.run(
    [sys.executable, '-c', SAME, mlp, ADDRESS], capture_output=True, check=True
  )
  assert done.stdout.decode().strip() == f'{ADDRESS}@{commit}'


def test_a_public_repository_is_made_and_gets_one_commit(
  hub, words, tmp_path, capsys
):
  alae(*words)
  repository = hub.repositories[NAME]
  assert not repository.private
  assert len(repository.commits) == 2  # the first is that of making it
  assert set(hub.files(NAME)) == FILES | {'.gitattributes'}
  for name in FILES:
    assert hub.files(NAME)[name] == (tmp_path / 'out' / name).read_bytes()
  out, err = capsys.readouterr()
  assert 'The model card names no licence yet' in out
  assert err == ''  # no bars in a log


def test_a_private_repository(hub, words):
  alae(*words, '--private')
  assert hub.repositories[NAME].private
  assert open_folder(ADDRESS).tensors.exists()


def test_the_card_is_one_that_the_hub_reads(hub, words):
  yaml = pytest.importorskip('yaml')
  alae(*words, '--license', 'apache-2.0')
  card = hub.files(NAME)['README.md'].decode()
  head = yaml.safe_load(card.split('---')[1])
  assert head == {
    'license': 'apache-2.0',
    'library_name': 'alae_jax',
    'pipeline_tag': 'unconditional-image-generation',
    'tags': ['alae', 'autoencoder', 'gan', 'jax'],
  }
  assert '**Licence**: apache-2.0;' in card
  assert f"`alae_jax.load('{ADDRESS}')`" in card


@pytest.mark.parametrize('where', ['PUT /lfs/', f'POST /api/models/{NAME}/c'])
def test_an_upload_that_breaks_off_is_given_again(
  hub, words, tmp_path, capsys, where
):
  hub.breaks[where] = 1000
  assert cli.main([str(word) for word in words]) == 2
  said = capsys.readouterr().err.splitlines()[-1]  # after what the client says
  assert said.startswith(f'alae: {ADDRESS}: the exchange with the hub failed: ')
  assert f'the files in {tmp_path / "out"} are whole: the same command' in said
  assert set(hub.files(NAME)) == {'.gitattributes'}
  assert names(tmp_path / 'out') == FILES
  hub.breaks.clear()
  hub.requests.clear()
  alae(*words, '--overwrite')
  assert set(hub.files(NAME)) == FILES | {'.gitattributes'}
  # What was uploaded for the commit that failed is not uploaded again.
  assert len(hub.asked('^PUT /lfs/')) == (1 if 'lfs' in where else 0)


def test_the_network_may_fail_for_a_while(hub, words):
  hub.breaks['PUT /lfs/'] = 2
  alae(*words)
  assert set(hub.files(NAME)) == FILES | {'.gitattributes'}


def test_files_of_a_repository_are_not_replaced_unless_asked(
  hub, words, tmp_path, capsys, unloaded
):
  before = hub.add(NAME, {'README.md': b'mine', 'notes.txt': b'mine'})
  said = refused(capsys, *words)
  assert f'{ADDRESS} holds README.md already: name another' in said
  assert not (tmp_path / 'out').exists()
  assert list(hub.repositories[NAME].commits) == [before]


def test_files_of_a_repository_are_replaced_when_asked_and_others_stay(
  hub, words
):
  before = hub.add(NAME, {'README.md': b'mine', 'notes.txt': b'mine'})
  alae(*words, '--overwrite')
  assert hub.files(NAME)['notes.txt'] == b'mine'
  assert b'# ALAE, digits' in hub.files(NAME)['README.md']
  assert hub.repositories[NAME].commits[before]['README.md'] == b'mine'


def test_the_same_again_makes_no_commit(hub, words, capsys):
  alae(*words)
  commits = list(hub.repositories[NAME].commits)
  capsys.readouterr()
  alae(*words, '--overwrite')
  assert list(hub.repositories[NAME].commits) == commits
  assert f'pushed {ADDRESS}@{commits[-1]}' in capsys.readouterr().out


def test_a_commit_of_another_meanwhile_is_not_undone(
  hub, words, capsys, monkeypatch
):
  hub.add(NAME, {'notes.txt': b'mine'})
  load_run = exporting.load_run

  def meanwhile(*given):
    hub.add(NAME, {'README.md': b'of another'})
    return load_run(*given)

  monkeypatch.setattr(exporting, 'load_run', meanwhile)
  said = refused(capsys, *words)
  assert 'A commit has happened since' in said
  assert hub.files(NAME)['README.md'] == b'of another'


REFUSED = {
  'no user': (['--push', 'hf://digits'], 'it names no user'),
  'no address': (['--push', 'runs/x'], 'give hf://USER/NAME'),
  'a revision': (
    ['--push', f'{ADDRESS}@v1'],
    f'--push {ADDRESS}@v1: a push makes a commit of its own: leave out @v1',
  ),
  'another user': (
    ['--push', 'hf://bob/digits'],
    'hf://bob/digits: ada is logged in, and bob is no organization of theirs: '
    'name one of ada, labs',
  ),
  'unknown licence': (
    ['--license', 'mine'],
    '--license: the hub refuses it, and huggingface.co/docs',
  ),
}


@pytest.mark.parametrize('case', REFUSED)
def test_what_cannot_be_pushed_is_refused_before_the_work(
  hub, words, capsys, unloaded, tmp_path, case
):
  more, said = REFUSED[case]
  if '--push' in more:
    words = words[:-2]
  assert said in refused(capsys, *words, *more)
  assert hub.repositories == {}
  assert not (tmp_path / 'out').exists()


def test_a_repository_of_another_is_refused_before_the_work(
  hub, words, capsys, unloaded
):
  hub.add('bob/digits', {'notes.txt': b'his'})
  said = refused(capsys, *words[:-1], 'hf://bob/digits')
  assert 'the hub refuses these credentials (You have no write access' in said


def test_files_of_an_earlier_export_may_not_stay(hub, words, capsys, unloaded):
  hub.add(NAME, {**model_files(), 'README.md': b'x', 'model.pth': b'x'})
  said = refused(capsys, *words, '--overwrite')
  assert f'{ADDRESS} holds model.pth of an earlier export' in said


def test_a_public_repository_does_not_become_private(
  hub, words, capsys, unloaded
):
  hub.add(NAME, {'notes.txt': b'mine'})
  said = refused(capsys, *words, '--private')
  assert f'--private: {ADDRESS} is there already, and public' in said


@pytest.mark.parametrize(
  ('token', 'said'),
  [
    (None, 'nobody is logged in: log in with `hf auth login`, or set HF_TOKEN'),
    ('wrong', 'the hub refuses these credentials ('),
    (
      'may_only_read',
      'the token of ada may only read: make one that may write',
    ),
  ],
)
def test_credentials_are_asked_for_before_the_work(
  hub, words, capsys, unloaded, monkeypatch, token, said
):
  if token is None:
    monkeypatch.delenv('HF_TOKEN')
  else:
    monkeypatch.setenv('HF_TOKEN', token)
  assert f'{ADDRESS}: {said}' in refused(capsys, *words)


def test_offline_nothing_is_pushed(hub, words, capsys, unloaded, monkeypatch):
  monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
  said = refused(capsys, *words)
  assert 'the exchange with the hub failed' in said
  assert 'HF_HUB_OFFLINE' in said


def test_a_missing_package_is_named(mlp, tmp_path, capsys, monkeypatch):
  monkeypatch.setitem(sys.modules, 'huggingface_hub', None)
  start = ['export', mlp, '--format', 'safetensors', '--out', tmp_path / 'out']
  said = refused(capsys, *start, '--push', ADDRESS)
  assert "needs huggingface_hub: pip install 'alae_jax[hub]'" in said
  assert not (tmp_path / 'out').exists()


def test_options_of_a_push_alone_are_refused(mlp, tmp_path, capsys):
  start = ['export', mlp, '--format', 'safetensors', '--out', tmp_path / 'out']
  said = refused(capsys, *start, '--private')
  assert '--private is of a repository: give --push too' in said
