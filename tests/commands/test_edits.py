"""`alae interpolate`, `mix` and `traverse`, and what they are given."""

import json

import numpy as np
import pytest
from PIL import Image

from alae_jax.commands import points
from tests.support.example_data import write_images
from tests.support.verbs import alae, images_of, names, pixels, record, refused


def test_interpolation_begins_and_ends_at_its_ends(style, tmp_path):
  write_images(tmp_path / 'in', 1, side=20)
  alae(
    'interpolate',
    style,
    3,
    tmp_path / 'in' / '00.png',
    4,
    '--steps',
    3,
    '--format',
    'png,gif',
    '--out',
    tmp_path / 'out',
  )
  assert names(tmp_path / 'out') == {
    'interpolate.png',
    'interpolate.gif',
    'originals.png',
    'interpolate.json',
  }
  grid = images_of(tmp_path / 'out' / 'interpolate.png', 2, 3)
  alae(
    'generate',
    style,
    '--seeds',
    '3,4',
    '--noise',
    'constant',
    '--out',
    tmp_path / 'seeds',
  )
  for seed, cell in ((3, grid[2:66:4, 2:66:4]), (4, grid[68:132:4, 134:198:4])):
    np.testing.assert_array_equal(
      cell, pixels(tmp_path / 'seeds' / f'seed000{seed}.png')
    )
  np.testing.assert_array_equal(grid[2:66, 134:198], grid[68:132, 2:66])
  with Image.open(tmp_path / 'out' / 'interpolate.gif') as film:
    assert film.size == (64, 64)


def test_an_interpolation_needs_two_ends(mlp, tmp_path, capsys):
  assert 'give two points' in refused(
    capsys, 'interpolate', mlp, 3, '--out', tmp_path / 'out'
  )
  assert "'avi' is none of png, gif, mp4" in refused(
    capsys,
    'interpolate',
    mlp,
    3,
    4,
    '--format',
    'png,avi',
    '--out',
    tmp_path / 'out',
  )


def test_mp4_is_refused_before_the_work_where_ffmpeg_is_missing(
  mlp, tmp_path, capsys, monkeypatch
):
  monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
  assert 'alae_jax[video]' in refused(
    capsys,
    'interpolate',
    mlp,
    3,
    4,
    '--format',
    'mp4',
    '--out',
    tmp_path / 'out',
  )


def test_mix_writes_a_table_for_each_group_of_layers(style, tmp_path):
  alae(
    'mix',
    style,
    '--sources',
    '0-2',
    '--destinations',
    5,
    6,
    '--out',
    tmp_path / 'out',
  )
  assert names(tmp_path / 'out') == {
    'mix_coarse.png',
    'mix_middle.png',
    'mix.json',
  }
  told = record(tmp_path / 'out', 'mix')
  assert told['layers'] == {'coarse': [0, 3], 'middle': [4, 5]}
  assert told['columns'] == ['seed 0', 'seed 1', 'seed 2']
  assert told['rows'] == ['seed 5', 'seed 6']
  grid = images_of(tmp_path / 'out' / 'mix_coarse.png', 3, 4)
  assert (grid[2:66, 2:66] == 96).all()  # the corner is empty


def test_mixing_all_layers_gives_the_source(style, tmp_path):
  alae(
    'mix',
    style,
    '--sources',
    0,
    '--destinations',
    5,
    '--layers',
    '0-5',
    '--out',
    tmp_path,
  )
  grid = images_of(tmp_path / 'mix_0-5.png', 2, 2)
  np.testing.assert_array_equal(grid[68:132, 68:132], grid[2:66, 68:132])


@pytest.mark.parametrize('layers', ['fine', '3-6', '6'])
def test_layers_that_are_not_there_are_refused(style, tmp_path, capsys, layers):
  assert 'works with layers 0 to 5' in refused(
    capsys,
    'mix',
    style,
    '--sources',
    0,
    '--destinations',
    1,
    '--layers',
    layers,
    '--out',
    tmp_path / 'out',
  )


def test_traverse_takes_a_direction_of_any_shape(style, tmp_path):
  grids = []
  for i, shape in enumerate([(6,), (1, 6), (1, 6, 1)]):
    path = tmp_path / f'direction_{i}.npy'
    np.save(path, np.linspace(-1, 1, 6).reshape(shape))
    alae(
      'traverse',
      style,
      '0,1',
      '--direction',
      path,
      '--range',
      '-2,2',
      '--steps',
      3,
      '--format',
      'png,gif',
      '--out',
      tmp_path / str(i),
    )
    grids.append(images_of(tmp_path / str(i) / 'traverse.png', 2, 3))
    np.testing.assert_array_equal(grids[i], grids[0])
  alae(
    'generate',
    style,
    '--seeds',
    '1',
    '--noise',
    'constant',
    '--out',
    tmp_path / 'seed',
  )
  np.testing.assert_array_equal(  # the middle column stands still
    grids[0][68:132:4, 68:132:4], pixels(tmp_path / 'seed' / 'seed0001.png')
  )
  assert record(tmp_path / '0', 'traverse')['columns'] == [-2, 0, 2]
  with Image.open(tmp_path / '0' / 'traverse.gif') as film:
    assert film.n_frames == 4


@pytest.mark.parametrize(
  ('direction', 'said'),
  [
    (np.ones(5), 'has 5 numbers: a direction of this model has 6'),
    (np.zeros(6), 'is zero or not finite'),
    (np.full(6, np.nan), 'is zero or not finite'),
    (np.array([{}]), 'cannot be read as an NPY file'),
    (None, 'no such file'),
  ],
)
def test_wrong_directions_are_refused(mlp, tmp_path, capsys, direction, said):
  path = tmp_path / 'direction.npy'
  if direction is not None:
    np.save(path, direction)
  assert said in refused(
    capsys, 'traverse', mlp, 1, '--direction', path, '--out', tmp_path / 'out'
  )


def npz(path):
  with path.open('wb') as file:
    np.savez(file, np.ones(6))


def npy(path, change):
  np.save(path, np.ones(6))
  path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
  'write',
  [
    npz,
    lambda path: path.write_bytes(b'PK\x03\x04 damaged'),
    lambda path: path.touch(),
    lambda path: npy(path, lambda b: b[:-8]),
    lambda path: npy(path, lambda b: b.replace(b'(6,)', b'(6, ')),
    lambda path: npy(
      path, lambda b: b.replace(b'(6,), }' + 12 * b' ', b'(6000000000000,), }')
    ),
    lambda path: path.write_bytes(b'\x93NUMPY\x01\x00\x00\x40' + b'{' * 0x4000),
  ],
  ids=['npz', 'zip', 'empty', 'cut', 'header', 'huge', 'long'],
)
def test_what_is_no_npy_file_is_no_direction(mlp, tmp_path, capsys, write):
  path = tmp_path / 'direction.npy'
  write(path)
  assert f'--direction {path} cannot be read as an NPY file' in refused(
    capsys, 'traverse', mlp, 1, '--direction', path, '--out', tmp_path / 'out'
  )


@pytest.mark.parametrize('word', ['2024', '0-4'])
def test_a_file_that_is_named_like_seeds_is_not_passed_over(
  mlp, tmp_path, capsys, monkeypatch, word
):
  monkeypatch.chdir(tmp_path)
  write_images(tmp_path / word, 1)
  command = 'interpolate', mlp, '7', word, '--steps', 2, '--out', 'out'
  assert refused(capsys, *command) == (
    f'alae: {word} is a file or folder here: write ./{word} for it, or '
    f'{word},{word} for seeds\n'
  )
  alae(*(f'./{word}' if w == word else w for w in command))
  told = json.loads((tmp_path / 'out' / 'interpolate.json').read_text())
  assert told['points'] == ['seed 7', f'{word}/00.png']
  alae('interpolate', mlp, f'{word},{word}', 7, '--steps', 2, '--out', 'seeds')


def test_seeds_can_be_more_than_a_file_name_holds():
  word = ','.join(map(str, range(3000)))
  assert points.parse_points([word]) == list(range(3000))


def test_the_default_seed_is_never_taken_for_a_file(mlp, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  write_images(tmp_path / '0', 1)
  alae(
    'directions',
    mlp,
    '--method',
    'pca',
    '--number',
    1,
    '--samples',
    20,
    '--out',
    'out',
  )
  told = json.loads((tmp_path / 'out' / 'directions.json').read_text())
  assert told['shown'] == ['seed 0']


def test_an_mlp_has_nothing_to_mix(mlp, tmp_path, capsys):
  assert 'one layer of styles' in refused(
    capsys,
    'mix',
    mlp,
    '--sources',
    0,
    '--destinations',
    1,
    '--out',
    tmp_path / 'out',
  )
