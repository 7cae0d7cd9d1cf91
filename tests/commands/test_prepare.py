"""`alae prepare`, from the command line to what it prints."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.example_data import write_images
from tests.support.verbs import alae, names, refused


def test_it_prints_a_line_for_each_resolution(tmp_path, capsys):
  write_images(tmp_path / 'pictures', count=10, side=4)
  alae(
    'prepare',
    'pictures',
    '--source',
    tmp_path / 'pictures',
    '--data_dir',
    tmp_path,
    '--test_images',
    2,
  )
  wanted = f'{tmp_path}/pictures/4/1.0.0: 8 train, 2 test images, 0.0 MB\n'
  assert capsys.readouterr().out == wanted


@pytest.mark.parametrize(
  ('count', 'options', 'test'),
  [(1, (), 0), (7, (), 0), (10, (), 1), (10, ('--test_images', 0), 0)],
)
def test_it_says_that_there_are_no_test_images(
  tmp_path, capsys, count, options, test
):
  write_images(tmp_path / 'pictures', count=count, side=4)
  source = '--source', tmp_path / 'pictures', '--data_dir', tmp_path
  alae('prepare', 'pictures', *source, *options)
  told = capsys.readouterr().out
  assert ('no test images were set apart' in told) == (not test)
  assert told.count('\n') == (1 if test else 2)


@pytest.mark.parametrize(
  ('name', 'words', 'said'),
  [
    *(
      (name, (), f'NAME {name!r}: use small letters')
      for name in (
        '', ' ', 'a b', 'a/b', '/a', '..', '../a', 'Cats', 'caf\u00e9', '1a',
        'a.b', 'a\nb', '\x1b[31m', 'a' * 65, '_a',
      )
    ),
    ('digits', (), "dataset 'digits' is built in"),
    ('unnamed', (), "NAME 'unnamed' is what an imported run calls"),
    ('mnist', ('--source', '{root}/text'), 'holds no images, only 1 .txt'),
    ('mnist', ('--channels', '3'), 'mnist is grey'),
    *(
      ('x', ('--resolution', value), f'--resolution {value}: use one of 4, 8')
      for value in ('0', '-1', '3', '100000', '9' * 30)
    ),
    ('x', ('--resolution', '28'), '--resolution 28: use one of 4, 8'),
    *(
      ('x', ('--resolution', value), 'argument --resolution: invalid')
      for value in ('x', '', '8.0', '1e3', 'nan')
    ),
    *(
      ('x', ('--test_images', value), '--test_images ')
      for value in ('-1', '-0.5', 'nan', 'inf', '1.5', '10', '11', '1e300')
    ),
    ('x', ('--test_images', '0.99'), 'leaves none to train on'),
    ('x', ('--test_images', 'x'), 'argument --test_images: invalid'),
    *(
      ('x', ('--channels', value), 'argument --channels: invalid')
      for value in ('0', '2', '4', 'x', '')
    ),
    ('x', ('--source', '{root}/no'), '--source {root}/no: no such file'),
    ('x', ('--source', '{root}/file'), '--source {root}/file is none of'),
    ('mnist', ('--source', '{root}/file'), 'file is none of: '),
    ('x', ('--source', '{root}/file/x'), 'file/x: no such file or folder'),
    ('x', ('--source', '{root}/empty'), '{root}/empty holds no images'),
    ('x', ('--source', '{root}/text'), '{root}/text holds no images'),
    ('x', ('--source', '{root}/broken'), 'a.png: it is not an image'),
    ('x', ('--source', '{root}/tiny'), '00.png is smaller than 4x4'),
    ('x', ('--data_dir', '{root}/file'), '--data_dir {root}/file is a file'),
    ('x', ('--data_dir', '{root}/file/x'), 'file/x: Not a directory'),
    ('x', ('--overwrite=1',), 'argument --overwrite: '),
  ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(
  sources, tmp_path, capsys, name, words, said
):
  places = {'root': sources, 'ten': sources / 'ten'}
  words = [word.format(**places) for word in words]
  usual = {'--source': sources / 'ten', '--data_dir': tmp_path / 'data'}
  for flag, value in usual.items():
    if flag not in words:
      words += [flag, value]
  line = refused(capsys, 'prepare', name, *words)
  assert said.format(**places) in line
  assert not (tmp_path / 'data').exists()
  assert names(sources) == SOURCES


SOURCES = {'ten', 'tiny', 'empty', 'text', 'broken', 'file'}


@pytest.fixture(scope='module')
def sources(tmp_path_factory):
  """A folder of what may be given as a source and can't all be used."""
  root = tmp_path_factory.mktemp('sources')
  write_images(root / 'ten', count=10, side=8)
  write_images(root / 'tiny', count=2, side=2)
  for name in ('empty', 'text', 'broken'):
    (root / name).mkdir()
  (root / 'text' / 'a.txt').write_text('text')
  (root / 'broken' / 'a.png').write_text('text')
  (root / 'file').write_text('text')
  return root


def test_what_is_wrong_is_told_by_its_flag(tmp_path, capsys):
  write_images(tmp_path / 'pictures', count=10, side=4)
  for words, said in (
    (('--source', tmp_path / 'none'), f'--source {tmp_path}/none: no such'),
    (
      ('--source', tmp_path / 'pictures', '--test_images', 10),
      '--test_images 10.0 of 10 images leaves none',
    ),
    (
      ('--source', tmp_path / 'pictures', '--resolution', 7),
      '--resolution 7: use one of',
    ),
    ((), '--source is missing'),
  ):
    line = refused(capsys, 'prepare', 'x', *words, '--data_dir', tmp_path)
    assert line.startswith(f'alae: {said}'), line


@pytest.mark.parametrize(
  ('number', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_stops_it_in_one_line_and_it_goes_on(tmp_path, number, status):
  write_images(tmp_path / 'pictures', count=1500, side=32)
  words = ['prepare', 'x', '--source', 'pictures', '--data_dir', 'data']
  command = [sys.executable, '-m', 'alae_jax', *words, '--workers', '2']
  env = os.environ | {'PYTHONPATH': os.getcwd()}
  with subprocess.Popen(
    command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True
  ) as job:
    pieces = tmp_path / 'data' / 'x.unfinished' / 'pieces'
    while job.poll() is None and not (
      pieces.exists() and any(pieces.iterdir())
    ):
      time.sleep(0.01)
    job.send_signal(number)
    said = job.communicate()[1]
  if job.returncode:  # it may have been quicker
    assert job.returncode == status
    assert 'stopped by' in said.splitlines()[-1]
    assert 'Traceback' not in said
  alae(*words[:2], '--source', tmp_path / 'pictures', '--data_dir',
       tmp_path / 'data')  # fmt: skip
  assert (tmp_path / 'data' / 'x' / '32').exists()
