"""`alae generate`, from the command line to the files it leaves."""

import numpy as np
import pytest

from alae_jax.inference import choices
from tests.support.verbs import alae, names, pixels, record, refused


def test_generate_writes_an_image_for_each_seed(mlp, tmp_path):
  alae(
    'generate', mlp, '--seeds', '0-2,40', '--truncation', 0.7, '--out', tmp_path
  )
  files = [f'seed{seed:04d}.png' for seed in (0, 1, 2, 40)]
  assert names(tmp_path) == {*files, 'generate.json'}
  assert pixels(tmp_path / files[0]).shape == (8, 8)
  told = record(tmp_path, 'generate')
  assert told['files'] == files
  assert told['arguments']['seeds'] == [0, 1, 2, 40]
  assert told['arguments']['truncation'] == 0.7
  assert (told['images_seen'], told['weights']) == (16, 'ema')


@pytest.mark.parametrize('noise', choices.NOISES)
def test_a_seed_gives_the_same_image_in_any_company(style, tmp_path, noise):
  for seeds in ('7', '0-11', '30,7'):
    alae(
      'generate',
      style,
      '--seeds',
      seeds,
      '--noise',
      noise,
      '--cutoff',
      2,
      '--truncation',
      0.5,
      '--out',
      tmp_path / seeds,
    )
  alone = pixels(tmp_path / '7' / 'seed0007.png')
  assert alone.shape == (16, 16, 3)
  for company in ('0-11', '30,7'):
    np.testing.assert_array_equal(
      alone, pixels(tmp_path / company / 'seed0007.png')
    )
  assert (alone != pixels(tmp_path / '30,7' / 'seed0030.png')).any()


def test_noise_can_be_drawn_shared_or_left_out(style, tmp_path):
  for noise in choices.NOISES:
    # With psi 0 all images differ by their noise only.
    alae(
      'generate',
      style,
      '--seeds',
      '0,1',
      '--truncation',
      0,
      '--noise',
      noise,
      '--out',
      tmp_path / noise,
    )
  pairs = {
    noise: [pixels(tmp_path / noise / f'seed000{i}.png') for i in range(2)]
    for noise in choices.NOISES
  }
  assert (pairs['random'][0] != pairs['random'][1]).any()
  np.testing.assert_array_equal(*pairs['constant'])
  np.testing.assert_array_equal(*pairs['none'])
  assert (pairs['constant'][0] != pairs['none'][0]).any()


def test_a_grid_is_one_picture(mlp, tmp_path):
  alae(
    'generate',
    mlp,
    '--seeds',
    '0-4',
    '--grid',
    '--columns',
    3,
    '--out',
    tmp_path,
  )
  assert names(tmp_path) == {'grid.png', 'generate.json'}
  height, width = pixels(tmp_path / 'grid.png').shape
  assert width == 3 * 66 + 2
  caption, rest = divmod(height - 2 - 2 * 66, 2)
  assert caption > 8
  assert not rest


def test_nothing_is_replaced_unasked(mlp, tmp_path, capsys):
  (tmp_path / 'seed0003.png').write_text('mine')
  command = 'generate', mlp, '--seeds', '2,3', '--out', tmp_path
  assert 'seed0003.png is there already' in refused(capsys, *command)
  assert names(tmp_path) == {'seed0003.png'}
  assert (tmp_path / 'seed0003.png').read_text() == 'mine'
  alae(*command, '--overwrite')
  assert pixels(tmp_path / 'seed0003.png').shape == (8, 8)
  assert 'generate.json is there already' in refused(capsys, *command)


@pytest.mark.parametrize(
  ('words', 'said'),
  [
    (['--seeds', '3-x'], "'3-x' are not seeds"),
    (['--seeds', '5-3'], "'5-3' are not seeds"),
    (['--seeds', '4294967296'], 'are not seeds'),
    (['--seeds', '-3'], "'-3' are not seeds"),
    (['--seeds', '1', '--truncation', 'nan'], "'nan' is not a number"),
    (['--seeds', '1', '--noise', 'loud'], "invalid choice: 'loud'"),
    (['--seeds', '1', '--cutoff', '2'], 'does nothing at --truncation 1'),
    (['--seeds', '1', '--columns', '0'], 'not a whole number from 1'),
    (['--seeds', '1', '--colour', 'red'], 'unknown argument --colour'),
    ([], 'required: --seeds'),
  ],
)
def test_wrong_words_are_told_in_one_line(mlp, tmp_path, capsys, words, said):
  assert said in refused(
    capsys, 'generate', mlp, '--out', tmp_path / 'x', *words
  )
  assert not (tmp_path / 'x').exists()


def test_what_is_no_run_or_no_folder_is_refused(mlp, tmp_path, capsys):
  assert 'is not a run folder' in refused(
    capsys, 'generate', tmp_path, '--seeds', 1, '--out', tmp_path
  )
  (tmp_path / 'file').touch()
  assert 'is a file' in refused(
    capsys, 'generate', mlp, '--seeds', 1, '--out', tmp_path / 'file'
  )
