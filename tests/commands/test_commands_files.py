"""Files that the image verbs are given, and names that could be taken twice."""

import json

import numpy as np
import pytest
from PIL import Image

from alae_jax.commands import labels, latents, reconstruct
from alae_jax.errors import UserError
from tests.commands.test_commands import alae, names, pixels, refused
from tests.support.example_data import write_images

# directions in files


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


# reconstruct


def test_a_result_does_not_take_the_name_of_a_sheet(mlp, tmp_path):
  image = tmp_path / 'reconstruct_000.jpg'
  Image.fromarray(np.full((8, 8), 200, np.uint8)).save(image)
  alae('reconstruct', mlp, image, '--out', tmp_path / 'out')
  told = json.loads((tmp_path / 'out' / 'reconstruct.json').read_text())
  assert told['images'][0]['result'] == 'reconstruct_000_2.png'
  assert names(tmp_path / 'out') == {
    'reconstruct_000.png',
    'reconstruct_000_2.png',
    'reconstruct.json',
  }
  assert pixels(tmp_path / 'out' / 'reconstruct_000_2.png').shape == (8, 8)


def test_an_image_has_its_own_noise_on_every_page(style, tmp_path, monkeypatch):
  write_images(tmp_path / 'in', 1, side=16)
  words = [tmp_path / 'in'] * 3
  for side in (1, 2, 3):
    monkeypatch.setattr(reconstruct, '_PAIRS_IN_A_SHEET', side)
    alae(
      'reconstruct',
      style,
      *words,
      '--noise',
      'random',
      '--out',
      tmp_path / str(side),
    )
  files = ['00.png', '00_2.png', '00_3.png']
  for side in (1, 2):
    for name in files:
      np.testing.assert_array_equal(
        pixels(tmp_path / str(side) / name), pixels(tmp_path / '3' / name)
      )
  first, second, third = (pixels(tmp_path / '1' / name) for name in files)
  assert (first != second).any()
  assert (first != third).any()


# seeds or files


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
  assert latents.parse_points([word]) == list(range(3000))


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


# labels


@pytest.mark.parametrize(
  ('text', 'said'),
  [
    ('file,smile\n\nin/00.png,1\n\nno.png,1\n', 'line 5: '),
    ('file,smile\nin/00.png,"a\nb"\nno.png,1\n', 'line 4: '),
    ('file,smile\n\nin/00.png,"a\nb"\na\n', 'line 5 has 1 fields'),
    ('file,smile\n\n\n', 'must have a header'),
    ('file,smile,age,smile\nin/00.png,1,2,3\n', "names 'smile' twice"),
  ],
)
def test_wrong_lines_are_told_by_their_numbers(
  mlp, tmp_path, capsys, text, said
):
  write_images(tmp_path / 'in', 1)
  path = tmp_path / 'labels.csv'
  path.write_text(text)
  assert said in refused(
    capsys,
    'directions',
    mlp,
    '--method',
    'labels',
    '--labels',
    path,
    '--out',
    tmp_path / 'out',
  )


@pytest.mark.parametrize(
  'attributes',
  [
    {'a b': ['0', '1', '0'], 'a_b': ['0', '1', '1']},
    {'a': ['b', 'c', 'd'], 'a_b': ['0', '1', '1']},
    {'a': ['b', '?', '!']},
  ],
)
def test_no_direction_replaces_another(attributes):
  with pytest.raises(UserError, match=r'direction_a_\w*\.npy') as told:
    labels.contrasts(
      {name: np.array(values) for name, values in attributes.items()}
    )
  assert 'rename one of them' in str(told.value)
