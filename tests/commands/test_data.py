"""`alae data`, from the command line to what it prints."""

import numpy as np
import PIL.Image
import pytest

from alae_jax import cli
from alae_jax.data import prepare
from tests.support.example_data import random_mnist, write_images, write_mnist
from tests.support.verbs import alae, refused


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  path = tmp_path_factory.mktemp('data')
  write_images(path / 'images', count=30, side=16)
  prepare.prepare('faces', path / 'images', path / 'data')
  write_mnist(path / 'idx', random_mnist())
  prepare.prepare('mnist', path / 'idx', path / 'data')
  return path / 'data'


def test_it_shows_datasets_levels_counts_and_classes(data_dir, capsys):
  alae('data', data_dir)
  lines = capsys.readouterr().out.splitlines()
  assert lines[0].startswith('faces (')
  levels = [line.split() for line in lines if 'MB' in line]
  assert [level[0] for level in levels] == [
    '16/1.0.0', '8/1.0.0', '4/1.0.0', '28/1.0.0',
  ]  # fmt: skip
  assert levels[0][1:3] == ['16x16', 'RGB']
  assert levels[0][-4:] == ['27', 'train,', '3', 'test']
  assert any('10 classes, 0, 1, 2' in line for line in lines)
  for name in ('faces', 'mnist'):
    with PIL.Image.open(data_dir / name / 'sheet.png') as sheet:
      assert np.asarray(sheet).std() > 10


def test_it_checks_every_file(data_dir, capsys):
  alae('data', data_dir, '--check')
  assert 'checked: 4 levels are as they were made\n' in capsys.readouterr().out
  [shard] = (data_dir / 'faces' / '16').rglob('*train.array_record*')
  content = shard.read_bytes()
  shard.write_bytes(content[:3000] + bytes(10) + content[3010:])
  try:
    assert cli.main(['data', str(data_dir), '--check']) == 1
  finally:
    shard.write_bytes(content)
  said = capsys.readouterr().err
  assert f'{shard} has changed since it was made' in said
  assert 'Traceback' not in said


def test_a_damaged_dataset_is_shown_as_such(data_dir, capsys):
  info = data_dir / 'mnist' / '28' / '1.0.0' / 'features.json'
  content = info.read_bytes()
  info.write_bytes(content[:50])
  try:
    assert cli.main(['data', str(data_dir)]) == 1
  finally:
    info.write_bytes(content)
  told = capsys.readouterr()
  assert 'damaged' in told.out
  assert 'features.json has 50 bytes' in told.err
  assert '16x16' in told.out


@pytest.mark.parametrize(
  ('words', 'said'),
  [
    (['{root}/none'], 'none: no such folder'),
    (['{root}/file'], 'file: is a file: name a folder'),
    (['{root}/empty'], 'empty holds no datasets: alae prepare makes some'),
    ([], 'required: DIR'),
    (['{root}/empty', '--chekc'], 'did you mean --check?'),
  ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, capsys, words, said):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'file').write_text('text')
  words = [word.format(root=tmp_path) for word in words]
  assert said in refused(capsys, 'data', *words)
