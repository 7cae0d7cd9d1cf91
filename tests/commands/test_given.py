"""No verb writes over what it was given, whatever it is asked."""

import os
import pathlib
import shutil

import numpy as np
import pytest

from alae_jax.data import datasets
from tests.commands.conftest import content
from tests.support.example_data import write_images
from tests.support.verbs import alae, refused


@pytest.fixture
def said(tmp_path, capsys):
  """Runs a verb that must be refused, and leaves everything as it was."""

  def run(*words):
    before = content(tmp_path)
    told = refused(capsys, *words, '--overwrite')
    assert content(tmp_path) == before
    return told

  return run


def ways_to(folder, tmp_path):
  os.symlink(folder, tmp_path / 'link')
  return [folder, folder / '..' / folder.name, tmp_path / 'link']


def test_images_stay(mlp, tmp_path, said):
  write_images(tmp_path / 'in', 2)
  for out in ways_to(tmp_path / 'in', tmp_path):
    for given in (tmp_path / 'in', tmp_path / 'in' / '01.png'):
      assert 'would be replaced' in said(
        'reconstruct', mlp, given, '--out', out
      )


@pytest.mark.parametrize('link', [os.symlink, os.link])
def test_a_file_stays_under_another_name(mlp, tmp_path, said, link):
  write_images(tmp_path / 'in', 1)
  (tmp_path / 'out').mkdir()
  link(tmp_path / 'in' / '00.png', tmp_path / 'out' / '00.png')
  assert '00.png would be replaced' in said(
    'reconstruct', mlp, tmp_path / 'in', '--out', tmp_path / 'out'
  )


def test_points_stay(style, tmp_path, said):
  write_images(tmp_path / 'in', 2)
  image = tmp_path / 'in' / 'originals.png'
  (tmp_path / 'in' / '00.png').rename(image)
  np.save(tmp_path / 'ones.npy', np.ones(6))
  out = ('--out', tmp_path / 'in')
  for words in (
    ('interpolate', style, 3, image),
    ('traverse', style, 3, image, '--direction', tmp_path / 'ones.npy'),
    ('mix', style, '--sources', 0, '--destinations', image),
    ('mix', style, '--sources', image, '--destinations', 0),
  ):
    assert 'originals.png would be replaced' in said(*words, *out)


def test_what_directions_are_found_from_stays(mlp, tmp_path, said):
  folder = tmp_path / 'in'
  write_images(folder, 4)
  (folder / '00.png').rename(folder / 'directions.png')
  labels = folder / 'directions.json'
  labels.write_text(
    'file,smile\ndirections.png,1\n01.png,0\n02.png,1\n03.png,0\n'
  )
  words = ('directions', mlp, '--method', 'labels', '--out', folder)
  assert 'directions.json would' in said(*words, '--labels', labels)
  labels = labels.rename(folder / 'smiles.csv')
  assert 'directions.png would' in said(*words, '--labels', labels)
  shown = ('--method', 'pca', '--show', folder / 'directions.png')
  words = ('directions', mlp, '--out', folder)
  assert 'directions.png would' in said(*words, *shown)


def test_a_direction_stays(mlp, tmp_path, said):
  np.save(tmp_path / 'traverse.npy', np.ones(6))
  path = (tmp_path / 'traverse.npy').rename(tmp_path / 'traverse.png')
  assert 'traverse.png would be replaced' in said(
    'traverse', mlp, 3, '--direction', path, '--out', tmp_path
  )


def test_a_run_stays(mlp, tmp_path, said):
  run = tmp_path / 'run'
  shutil.copytree(mlp, run)
  write_images(tmp_path / 'in', 1)
  image = (tmp_path / 'in' / '00.png').rename(tmp_path / 'in' / 'reals.png')
  (run / 'pictures').mkdir(exist_ok=True)
  shutil.copy(image, run / 'pictures')
  for out in ways_to(run / 'pictures', tmp_path):
    assert 'reals.png would' in said('reconstruct', run, image, '--out', out)
  os.symlink('config.json', run / 'generate.json')
  assert 'generate.json would' in said(
    'generate', run, '--seeds', 1, '--out', run
  )


def test_what_a_verb_wrote_is_replaced(mlp, tmp_path):
  write_images(tmp_path / 'in', 1)
  words = ('reconstruct', mlp, tmp_path / 'in', '--out', tmp_path / 'out')
  alae(*words)
  alae(*words, '--overwrite')


def test_prepare_does_not_remove_its_source(tmp_path, said, capsys):
  data = tmp_path / 'data'
  write_images(data / 'faces', 3, side=4)
  words = ('prepare', 'faces', '--data_dir', data, '--source')
  alae(*words, data / 'faces')
  assert list(datasets.available('faces', data)) == [4]
  alae(*words, data / 'faces', '--overwrite')
  assert len(list((data / 'faces').glob('*.png'))) == 3
  assert 'not taken as images' in capsys.readouterr().err  # its own files
  within = data / 'faces' / '4' / 'photos'
  write_images(within, 3, side=4)
  assert 'move them elsewhere' in said(*words, within)
  assert 'move them elsewhere' in said(*words, data / 'faces')
  os.symlink(within, tmp_path / 'link')
  assert 'move them elsewhere' in said(*words, tmp_path / 'link')
  unfinished = pathlib.Path(data, 'faces.unfinished', 'faces')
  write_images(unfinished, 3, side=4)
  assert 'move them elsewhere' in said(*words, unfinished)
