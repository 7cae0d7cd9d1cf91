"""Paths as users give them."""

import errno
import os
import pathlib
import pwd
import threading

import pytest
from etils import epath

import alae_jax
from alae_jax import storage
from alae_jax.data import datasets
from alae_jax.errors import UserError, printable
from tests.support.example_data import write_images
from tests.support.full_disk import room
from tests.support.verbs import alae


@pytest.fixture
def home(tmp_path, monkeypatch):
  folder = tmp_path / 'home'
  (tmp_path / 'here').mkdir()
  folder.mkdir()
  monkeypatch.setenv('HOME', str(folder))
  monkeypatch.chdir(tmp_path / 'here')
  return folder


@pytest.mark.parametrize('given', ['~/d/x', pathlib.Path('~/d/x')])
def test_the_home_folder(home, given):
  assert storage.locate(given) == epath.Path(home / 'd' / 'x')
  assert storage.locate('~') == epath.Path(home)


def test_a_file_may_be_called_like_the_home_folder(home):
  located = storage.locate('./~/d')
  assert located == epath.Path(os.path.abspath('./~/d'))
  assert storage.locate(located) == located
  pathlib.Path('~copy.png').touch()
  assert storage.locate('~copy.png').exists()


def test_another_users_home():
  assert (
    storage.locate('~root/x') == epath.Path(pwd.getpwnam('root').pw_dir) / 'x'
  )


def test_a_dataset_and_a_run_lie_in_the_home_folder(home, mlp):
  write_images(home / 'photos', 4, side=4)
  alae('prepare', 'x', '--source=~/photos', '--data_dir=~/d')
  assert list(datasets.available('x', home / 'd')) == [4]
  assert list(datasets.available('x', '~/d')) == [4]
  os.symlink(mlp, home / 'run')
  alae('reconstruct', '~/run', '~/photos', '--out=~/out')
  assert (home / 'out' / '00.png').exists()
  assert alae_jax.load('~/run').resolution == 8
  assert not os.listdir('.')


@pytest.mark.parametrize('name', ['', ' ', 'a\0b', 'http://x', '~no_such/x'])
def test_what_is_no_path(name):
  with pytest.raises(UserError):
    storage.locate(name)


def test_what_can_be_read_as_a_file(tmp_path):
  (tmp_path / 'file').touch()
  os.symlink('file', tmp_path / 'link')
  storage.require_file(epath.Path(tmp_path / 'file'))
  storage.require_file(epath.Path(tmp_path / 'link'))
  os.mkfifo(tmp_path / 'pipe')
  for name, said in (
    ('none', 'no such file'),
    ('file/x', 'Not a directory'),
    ('.', 'is a folder'),
    ('pipe', 'is a pipe'),
  ):
    with pytest.raises(UserError, match=said):
      storage.require_file(epath.Path(tmp_path / name))


def test_what_can_be_a_folder(tmp_path):
  (tmp_path / 'file').touch()
  os.symlink('nowhere', tmp_path / 'dangling')
  storage.require_folder(epath.Path(tmp_path))
  storage.require_folder(epath.Path(tmp_path / 'a' / 'b'))
  storage.require_folder(epath.Path('a/b'))
  for name in ('file', 'file/x', 'dangling', 'dangling/x'):
    with pytest.raises(UserError, match='is no folder'):
      storage.require_folder(epath.Path(tmp_path / name))


def test_names_are_shown_in_a_line():
  assert printable('a b é 顔') == 'a b é 顔'
  assert printable('a\n\x1b[2J\0\udcff\u202e') == r'a\n\x1b[2J\x00\udcff\u202e'
  assert len(printable('x' * 5000)) < 1100


@pytest.mark.parametrize('before', [None, b'old'])
def test_what_a_full_disk_does_not_take_leaves_nothing(tmp_path, before):
  path = epath.Path(tmp_path / 'file')
  if before is not None:
    path.write_bytes(before)
  left = 'nothing of it is left' if before is None else 'as it was before'
  with room(100), pytest.raises(OSError, match=left) as caught:
    storage.write_whole(path, b'x' * 101)
  assert (caught.value.errno, caught.value.filename) == (
    errno.EFBIG,
    str(path),
  )
  assert os.listdir(tmp_path) == ([] if before is None else ['file'])
  assert before is None or path.read_bytes() == before


def test_a_line_that_does_not_fit_is_not_begun(tmp_path):
  path = epath.Path(tmp_path / 'lines')
  storage.append(path, 'one\n')
  with room(100), pytest.raises(OSError, match='earlier lines') as caught:
    storage.append(path, 'x' * 200 + '\n')
  assert caught.value.filename == str(path)
  storage.append(path, 'two\n')
  assert path.read_text() == 'one\ntwo\n'


def test_a_line_that_a_kill_cut_short_is_not_glued_to_the_next(tmp_path):
  path = epath.Path(tmp_path / 'lines')
  path.write_bytes(b'one\n\xe9tw')
  storage.append(path, 'three \udcff\n')
  storage.append(path, 'four\n')
  assert path.read_bytes() == b'one\n\xe9tw\nthree \\udcff\nfour\n'


def test_writers_of_one_file_do_not_mix(tmp_path):
  path = epath.Path(tmp_path / 'file')
  contents = [bytes([i]) * 100_000 for i in range(8)]
  writers = [
    threading.Thread(target=lambda c=content: storage.write_whole(path, c))
    for content in contents * 4
  ]
  for writer in writers:
    writer.start()
  for writer in writers:
    writer.join()
  assert path.read_bytes() in contents
  assert os.listdir(tmp_path) == ['file']
