"""Apache Beam makes the same bytes as a single machine."""

import pytest

from alae_jax.data import prepare
from alae_jax.data.preparing import shards
from alae_jax.errors import UserError
from tests.support.example_data import bytes_of, write_images


def test_its_local_runner_makes_the_same_bytes(tmp_path, monkeypatch):
  pytest.importorskip('apache_beam')
  monkeypatch.setattr(shards, '_MOST_IN_SHARD', 8)
  folder = tmp_path / 'images'
  write_images(folder, count=40, side=8)
  (folder / '05.png').write_bytes(b'text')
  options = {'resolution': 8, 'bad_files': 'skip'}
  prepare.prepare('faces', folder, tmp_path / 'here', **options)
  prepare.prepare(
    'faces', folder, tmp_path / 'beam', **options, beam_options=[]
  )
  here, there = bytes_of(tmp_path / 'here'), bytes_of(tmp_path / 'beam')
  assert len([name for name in here if 'train' in name.name]) == 2 * 5
  assert here == there


def test_options_that_beam_does_not_know_are_refused(tmp_path):
  pytest.importorskip('apache_beam')
  write_images(tmp_path / 'images', count=4, side=8)
  with pytest.raises(UserError, match='beam_options'):
    prepare.prepare(
      'x', tmp_path / 'images', tmp_path, beam_options=['runner=Nobody']
    )


def test_without_beam_it_says_what_to_install(tmp_path, monkeypatch):
  monkeypatch.setitem(__import__('sys').modules, 'apache_beam', None)
  write_images(tmp_path / 'images', count=4, side=8)
  with pytest.raises(UserError, match=r"pip install 'alae_jax\[beam\]'"):
    prepare.prepare('x', tmp_path / 'images', tmp_path, beam_options=[])
