"""Models are read from the hub: of one commit, once, and with clear errors."""

import os
import pathlib
import re
import subprocess
import sys

import jax
import pytest

import alae_jax
from alae_jax.errors import UserError
from alae_jax.inference import loading
from alae_jax.runs.folder import open_folder
from tests.support import example_runs
from tests.support.full_disk import room
from tests.support.hub import model_files
from tests.support.runs import assert_identical, make_tiny_config

NAME, ADDRESS = 'ada/digits', 'hf://ada/digits'


def params(scale=1.0):
  return example_runs.make_state(make_tiny_config(), scale).ema


def downloads(hub):
  return [line.split('/')[-1] for line in hub.asked('^GET .*/resolve/')]


def refused(address=ADDRESS, how=open_folder):
  """The one line that an address is refused with."""
  with pytest.raises(UserError) as caught:
    how(address)
  assert '\n' not in str(caught.value)
  assert str(caught.value).startswith(address)
  return str(caught.value)


def test_a_model_is_loaded_and_says_where_it_is_from(hub):
  others = {'README.md': b'x', 'decode.stablehlo': b'x', 'model.pth': b'x'}
  commit = hub.add(NAME, model_files() | others)
  loaded = loading.load_run(ADDRESS)
  assert_identical(jax.device_get(loaded.model.params), params())
  assert loaded.model.address == f'{ADDRESS}@{commit}'
  assert f'from {ADDRESS}@{commit}' in repr(loaded.model)
  assert loaded.folder.name == loaded.model.address
  assert (loaded.images_seen, loaded.weights) == (16, 'ema')
  # No programs and no other formats, and all of them of one commit.
  assert downloads(hub) == ['config.json', 'model.safetensors']
  assert len(hub.asked(f'/resolve/{commit}/')) == 4
  assert len(hub.asked('^GET /api/models')) == 1


def test_an_older_commit_is_loaded_by_its_name(hub):
  old = hub.add(NAME, model_files())
  new = hub.add(NAME, model_files(0.5))
  hub.repositories[NAME].branches['v1.0'] = old
  for revision, commit, scale in (
    (old, old, 1.0),
    ('v1.0', old, 1.0),
    ('main', new, 0.5),
    (new, new, 0.5),
  ):
    model = alae_jax.load(f'{ADDRESS}@{revision}')
    assert model.address == f'{ADDRESS}@{commit}'
    assert_identical(jax.device_get(model.params), params(scale))
  assert alae_jax.load(ADDRESS).address == f'{ADDRESS}@{new}'


def test_the_newest_commit_is_found_and_what_is_here_stays(hub):
  hub.add(NAME, model_files())
  open_folder(ADDRESS)
  commit = hub.add(NAME, {'README.md': b'more'})
  hub.requests.clear()
  assert open_folder(ADDRESS).address == f'{ADDRESS}@{commit}'
  assert downloads(hub) == []  # the same content
  hub.requests.clear()
  open_folder(f'{ADDRESS}@{commit}')
  assert hub.requests == []


OPEN = """
import sys
from alae_jax.errors import UserError
from alae_jax.runs.folder import open_folder
for address in sys.argv[1:]:
  try:
    print(open_folder(address).address)
  except UserError as error:
    print(error)
"""


@pytest.mark.parametrize(
  ('variables', 'why'),
  [
    ({'HF_HUB_OFFLINE': '1'}, 'HF_HUB_OFFLINE'),
    ({'HF_ENDPOINT': 'http://127.0.0.1:9'}, 'Connection refused'),
  ],
)
def test_what_is_cached_needs_no_network(hub, variables, why):
  old = hub.add(NAME, model_files())
  open_folder(f'{ADDRESS}@{old}')
  new = hub.add(NAME, model_files(0.5))
  open_folder(ADDRESS)
  hub.requests.clear()
  command = [sys.executable, '-c', OPEN]
  asked = [f'{ADDRESS}@{old}', ADDRESS, 'hf://ada/another', f'{ADDRESS}@v2']
  done = subprocess.run(
    command + asked, env={**os.environ, **variables}, capture_output=True
  )
  found = done.stdout.decode().splitlines()
  assert found[:2] == [f'{ADDRESS}@{old}', f'{ADDRESS}@{new}']
  # That it may not be the newest is told.
  assert 'Using cached commit hash' in done.stderr.decode()
  for address, line in zip(asked[2:], found[2:], strict=True):
    assert line.startswith(f'{address} cannot be reached, and is not in the')
    assert why in line
  assert hub.requests == []


def test_a_commit_that_is_not_here_cannot_be_had_without_a_network(
  hub, monkeypatch
):
  hub.add(NAME, model_files())
  monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
  said = refused(f'{ADDRESS}@{"0" * 40}')
  assert 'cannot be reached, and is not in the cache: ' in said
  assert 'HF_HUB_OFFLINE' in said


def test_a_download_that_breaks_off_goes_on_where_it_was(hub, monkeypatch):
  monkeypatch.setattr('huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE', 1)
  files = model_files()
  commit = hub.add(NAME, files)
  path = f'/{NAME}/resolve/{commit}/model.safetensors'
  hub.breaks[f'GET {path}'] = 2
  model = alae_jax.load(ADDRESS)
  assert_identical(jax.device_get(model.params), params())
  size = len(files['model.safetensors'])
  half, quarter = size // 2, size // 2 + (size - size // 2) // 2
  assert hub.asked(f'^GET {path}') == [
    f'GET {path}',
    f'GET {path} bytes={half}-',
    f'GET {path} bytes={quarter}-',
  ]


def test_a_download_that_fails_leaves_nothing_that_misleads(hub):
  commit = hub.add(NAME, model_files())
  path = f'/{NAME}/resolve/{commit}/model.safetensors'
  hub.breaks[f'GET {path}'] = 1000
  assert 'the exchange with the hub failed: ' in refused()
  hub.breaks.clear()
  assert_identical(jax.device_get(alae_jax.load(ADDRESS).params), params())


@pytest.mark.parametrize(
  ('files', 'said'),
  [
    (
      {'config.json': b'{"model_type": "bert"}', 'model.safetensors': b'large'},
      'its config.json has no section exported',
    ),
    ({'model.pth': b'large'}, 'it has no config.json'),
    (
      {'config.json': model_files()['config.json']},
      'it has no model.safetensors',
    ),
  ],
)
def test_a_repository_without_a_model_of_ours(hub, files, said):
  commit = hub.add(NAME, files)
  with pytest.raises(UserError) as caught:
    open_folder(ADDRESS)
  assert str(caught.value).startswith(
    f'{ADDRESS}@{commit} holds no model that alae_jax reads: '
  )
  assert said in str(caught.value)
  assert 'model.safetensors' not in downloads(hub)


def test_a_config_that_is_none_is_named(hub):
  hub.add(NAME, {**model_files(), 'config.json': b'[}'})
  with pytest.raises(UserError, match=r'config\.json is not a config that'):
    open_folder(ADDRESS)


def test_no_such_repository(hub):
  assert refused() == (
    f'{ADDRESS}: there is no such repository, or it is private: log in with '
    '`hf auth login`, or set HF_TOKEN'
  )


def test_a_private_repository_opens_for_who_is_logged_in(hub, monkeypatch):
  hub.add(NAME, model_files(), private=True)
  open_folder(ADDRESS)
  monkeypatch.delenv('HF_TOKEN')
  assert 'or it is private: log in' in refused(f'{ADDRESS}@main')


def test_a_gated_repository(hub):
  hub.add(NAME, model_files(), gated=True)
  assert 'is open to those whom its owners admit: ask on its page' in refused()


@pytest.mark.parametrize('revision', ['v7', '1' * 40, 'abc1234'])
def test_no_such_revision(hub, revision):
  hub.add(NAME, model_files())
  said = refused(f'{ADDRESS}@{revision}')
  assert 'has no such branch, tag or commit' in said


@pytest.mark.parametrize(
  ('status', 'said'),
  [
    (400, 'the hub answers: no, not now'),
    (403, 'the hub refuses these credentials (no, not now): log in with'),
    (418, 'the hub answers: no, not now'),
    (503, 'cannot be reached, and is not in the cache: '),
  ],
)
@pytest.mark.parametrize('path', ['/api/models', '/ada/digits/resolve'])
def test_a_hub_that_answers_otherwise(hub, status, said, path):
  hub.add(NAME, model_files())
  for method in ('GET', 'HEAD'):
    hub.fails[f'{method} {path}'] = status
  assert said in refused()


@pytest.mark.parametrize('kept', [0, 6000])
def test_a_full_disk(hub, tmp_path, kept):
  files = model_files()
  hub.add(NAME, files)
  assert len(files['config.json']) < 6000 < len(files['model.safetensors'])
  with room(kept), pytest.raises(OSError, match='HF_HOME names another') as e:
    open_folder(ADDRESS)
  assert str(tmp_path / 'hub_home') in e.value.filename
  assert_identical(jax.device_get(alae_jax.load(ADDRESS).params), params())


def test_a_damaged_copy_is_told_how_to_be_replaced(hub):
  hub.add(NAME, model_files())
  path = open_folder(ADDRESS).tensors
  pathlib.Path(path).write_bytes(path.read_bytes()[:-1] + b'x')
  with pytest.raises(UserError, match='is damaged, or of another') as caught:
    alae_jax.load(ADDRESS)
  remove = re.search(r'remove (\S+), and it is fetched', str(caught.value))[1]
  os.remove(remove)
  assert_identical(jax.device_get(alae_jax.load(ADDRESS).params), params())


def test_a_missing_package_is_named(monkeypatch):
  monkeypatch.setitem(sys.modules, 'huggingface_hub', None)
  with pytest.raises(UserError) as caught:
    alae_jax.load(ADDRESS)
  assert str(caught.value) == (
    "the hub needs huggingface_hub: pip install 'alae_jax[hub]'"
  )
