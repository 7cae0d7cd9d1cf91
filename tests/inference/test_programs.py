"""Compiled programs are kept from one command to the next."""

import os
import subprocess
import sys

import pytest

from tests.support.verbs import pixels


def generate(run, out, **environment):
  """Runs `alae generate` in a fresh process; what it says on stderr."""
  words = ['generate', str(run), '--seeds', '0-3', '--grid', '--out', str(out)]
  environ = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith('JAX_')
  }
  done = subprocess.run(
    [sys.executable, '-m', 'alae_jax', *words],
    env=environ
    | {
      'JAX_PLATFORMS': 'cpu',
      'JAX_NUM_CPU_DEVICES': '2',
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
    }
    | environment,
    capture_output=True,
    text=True,
    check=True,
  )
  return done.stderr


@pytest.fixture(scope='module')
def cache(tmp_path_factory):
  return tmp_path_factory.mktemp('cache')


@pytest.fixture(scope='module')
def first(style, cache, tmp_path_factory):
  out = tmp_path_factory.mktemp('out')
  generate(style, out, ALAE_CACHE=str(cache))
  return out / 'grid.png'


def programs(cache):
  return {path: path.read_bytes() for path in cache.glob('programs/*/*-cache')}


def test_a_second_call_compiles_nothing_anew(style, cache, first, tmp_path):
  before = programs(cache)
  assert before
  generate(style, tmp_path, ALAE_CACHE=str(cache))
  assert programs(cache) == before
  assert (pixels(tmp_path / 'grid.png') == pixels(first)).all()


def test_what_a_kill_cut_short_is_made_anew(style, cache, first, tmp_path):
  before = programs(cache)
  for path, content in before.items():
    path.write_bytes(content[: len(content) // 2])
    path.with_name(path.name.replace('-cache', '-atime')).unlink()
  said = generate(style, tmp_path, ALAE_CACHE=str(cache))
  assert 'Error' not in said and 'rror reading' not in said
  after = programs(cache)
  assert after.keys() == before.keys()
  assert all(len(after[path]) > len(before[path]) / 2 for path in before)
  assert (pixels(tmp_path / 'grid.png') == pixels(first)).all()


def test_it_can_be_switched_off(style, tmp_path):
  generate(
    style,
    tmp_path / 'out',
    ALAE_CACHE=str(tmp_path / 'cache'),
    JAX_ENABLE_COMPILATION_CACHE='false',
  )
  assert not (tmp_path / 'cache').exists()


def test_the_user_s_own_place_is_kept(style, tmp_path):
  generate(
    style,
    tmp_path / 'out',
    ALAE_CACHE=str(tmp_path / 'cache'),
    JAX_COMPILATION_CACHE_DIR=str(tmp_path / 'own'),
  )
  assert not (tmp_path / 'cache').exists()


def test_where_nothing_can_be_kept_it_works_without(style, first, tmp_path):
  (tmp_path / 'file').write_text('')
  out = tmp_path / 'out'
  said = generate(style, out, ALAE_CACHE=str(tmp_path / 'file'))
  assert 'Traceback' not in said
  assert (pixels(out / 'grid.png') == pixels(first)).all()
