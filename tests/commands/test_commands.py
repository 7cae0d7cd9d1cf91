"""The image verbs from the command line to the files they leave."""

import json

import numpy as np
import pytest
from etils import epath
from PIL import Image

from alae_jax import cli
from alae_jax.commands import mix, options, reconstruct, traverse
from alae_jax.commands.labels import contrasts
from tests.support.example_data import write_images


def alae(*words):
  """Runs a command that must succeed; words may be paths or numbers."""
  assert cli.main([str(word) for word in words]) == 0


def refused(capsys, *words):
  """Runs a command that must fail with one line, and returns the line."""
  try:
    status = cli.main([str(word) for word in words])
  except SystemExit as stop:
    status = stop.code
  said = capsys.readouterr().err
  assert status == 2
  assert said.count('\n') == 1
  return said


def names(folder):
  return {path.name for path in folder.iterdir()}


def pixels(path):
  with Image.open(path) as image:
    return np.asarray(image)


def record(folder, verb):
  return json.loads((folder / f'{verb}.json').read_text())


# generate


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


@pytest.mark.parametrize('noise', options.NOISES)
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
  for noise in options.NOISES:
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
    for noise in options.NOISES
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
  assert pixels(tmp_path / 'grid.png').shape == (2 * 66 + 2, 3 * 66 + 2)


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
    (['--seeds', '1', '--cutoff', '2'], 'this model has 1 layers'),
    (['--seeds', '1', '--columns', '0'], 'not a whole number above 0'),
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


# reconstruct


def test_reconstruct_writes_results_sheets_and_a_table(
  style, tmp_path, capsys, monkeypatch
):
  monkeypatch.setattr(reconstruct, '_PAIRS_IN_A_SHEET', 4)
  write_images(tmp_path / 'in', 5, side=40)
  tall = tmp_path / '00.jpg'  # grey, not square, and a name that is taken
  Image.fromarray(np.full((20, 9), 200, np.uint8)).save(tall)
  alae('reconstruct', style, tmp_path / 'in', tall, '--out', tmp_path / 'out')
  results = [f'0{i}.png' for i in range(5)] + ['00_2.png']
  sheets = ['reconstruct_000.png', 'reconstruct_001.png']
  assert names(tmp_path / 'out') == {*results, *sheets, 'reconstruct.json'}
  assert pixels(tmp_path / 'out' / '00_2.png').shape == (16, 16, 3)
  told = record(tmp_path / 'out', 'reconstruct')
  assert [row['result'] for row in told['images']] == results
  row = told['images'][0]
  assert row['latent_distance'] >= 0
  assert told['mean']['psnr'] == pytest.approx(
    np.mean([row['psnr'] for row in told['images']])
  )
  printed = capsys.readouterr().out.splitlines()
  assert printed[0].split() == ['latent', 'distance', 'PSNR', 'SSIM']
  assert printed[1].split()[1:] == [
    f'{row["latent_distance"]:.4f}',
    f'{row["psnr"]:.2f}',
    f'{row["ssim"]:.3f}',
  ]


def test_a_result_lies_right_of_its_original(mlp, tmp_path):
  images = write_images(tmp_path / 'in', 1)
  alae('reconstruct', mlp, tmp_path / 'in', '--out', tmp_path / 'out')
  sheet = pixels(tmp_path / 'out' / 'reconstruct_000.png')
  grey = np.asarray(Image.fromarray(images[0]).convert('L'))
  np.testing.assert_array_equal(sheet[2:66:8, 2:66:8], grey)
  np.testing.assert_array_equal(
    sheet[2:66:8, 68:132:8], pixels(tmp_path / 'out' / '00.png')
  )


@pytest.mark.parametrize(
  ('made', 'said'),
  [
    (None, 'no such file or folder'),
    ('folder', 'holds no images'),
    ('text', 'it is not an image'),
  ],
)
def test_what_is_no_image_is_refused(mlp, tmp_path, capsys, made, said):
  path = tmp_path / 'thing'
  if made == 'folder':
    path.mkdir()
  elif made == 'text':
    path.write_text('hello')
  assert said in refused(
    capsys, 'reconstruct', mlp, path, '--out', tmp_path / 'out'
  )


# interpolate, mix, traverse


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
  grid = pixels(tmp_path / 'out' / 'interpolate.png')
  assert grid.shape == (2 * 66 + 2, 3 * 66 + 2, 3)
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


def test_mixing_takes_layers_of_the_sources():
  sources = np.full((2, 6, 1), 1.0) * [[[1]], [[2]]]
  destinations = np.full((1, 6, 1), 9.0)
  mixed = mix.mixtures(sources, destinations, 2, 4)[..., 0]
  np.testing.assert_array_equal(mixed, [[9, 9, 1, 1, 9, 9], [9, 9, 2, 2, 9, 9]])


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
  grid = pixels(tmp_path / 'out' / 'mix_coarse.png')
  assert grid.shape == (3 * 66 + 2, 4 * 66 + 2, 3)
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
  grid = pixels(tmp_path / 'mix_0-5.png')
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


def test_an_mlp_has_nothing_to_mix(mlp, tmp_path, capsys):
  assert 'is an MLP-ALAE' in refused(
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


def test_a_traversal_moves_some_layers():
  moved = traverse.moved(
    np.zeros((2, 3, 1)), np.array([[5.0]]), np.array([-1.0, 2.0]), 1, 2
  )[..., 0]
  np.testing.assert_array_equal(
    moved, [[0, -5, 0], [0, 10, 0], [0, -5, 0], [0, 10, 0]]
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
    grids.append(pixels(tmp_path / str(i) / 'traverse.png'))
    np.testing.assert_array_equal(grids[i], grids[0])
  assert grids[0].shape == (2 * 66 + 2, 3 * 66 + 2, 3)
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
    (None, 'cannot be read as an NPY file'),
  ],
)
def test_wrong_directions_are_refused(mlp, tmp_path, capsys, direction, said):
  path = tmp_path / 'direction.npy'
  if direction is not None:
    np.save(path, direction)
  assert said in refused(
    capsys, 'traverse', mlp, 1, '--direction', path, '--out', tmp_path / 'out'
  )


# directions


def test_directions_without_labels(style, tmp_path):
  for method in ('pca', 'sefa'):
    out = tmp_path / method
    alae(
      'directions',
      style,
      '--method',
      method,
      '--number',
      2,
      '--samples',
      50,
      '--show',
      '0',
      '--out',
      out,
    )
    files = [f'direction_{method}_{i}.npy' for i in range(2)]
    assert names(out) == {*files, 'directions.png', 'directions.json'}
    assert np.load(out / files[0]).shape == (6,)
    assert pixels(out / 'directions.png').shape == (2 * 66 + 2, 7 * 66 + 2, 3)
    told = record(out, 'directions')['directions']
    assert [row['file'] for row in told] == files
    alae(
      'traverse',
      style,
      0,
      '--direction',
      out / files[1],
      '--steps',
      2,
      '--out',
      tmp_path / f'along_{method}',
    )


def test_an_mlp_has_no_style_weights(mlp, tmp_path, capsys):
  assert 'use --method pca' in refused(
    capsys, 'directions', mlp, '--method', 'sefa', '--out', tmp_path / 'x'
  )


def test_directions_of_the_datasets_labels(mlp, tmp_path):
  alae(
    'directions', mlp, '--method', 'labels', '--samples', 200, '--out', tmp_path
  )
  told = record(tmp_path, 'directions')['directions']
  assert [row['name'] for row in told] == [f'label_{i}' for i in range(10)]
  assert all(0 <= row['accuracy'] <= 1 for row in told)
  assert all(row['images'] == 200 for row in told)


def test_directions_of_a_csv_files_labels(mlp, tmp_path, capsys):
  write_images(tmp_path / 'in', 8)
  table = tmp_path / 'labels.csv'
  lines = [f'in/0{i}.png,{i % 2},{"abc"[i % 3]}' for i in range(8)]
  table.write_text('\n'.join(['file,smile,hair colour', *lines, '']))
  alae(
    'directions',
    mlp,
    '--method',
    'labels',
    '--labels',
    table,
    '--out',
    tmp_path / 'out',
  )
  assert names(tmp_path / 'out') == {
    'directions.png',
    'directions.json',
    'direction_smile.npy',
    *(f'direction_hair_colour_{kind}.npy' for kind in 'abc'),
  }
  assert 'smile: training_accuracy' in capsys.readouterr().out


@pytest.mark.parametrize(
  ('text', 'said'),
  [
    ('', 'must have a header'),
    ('file,smile\n', 'must have a header'),
    ('file,smile\nno.png,1\n', 'line 2: '),
    ('file,smile\na\n', 'line 2 has'),
    (None, 'cannot read --labels'),
    ('file,smile\nin/00.png,1\n', "every smile is '1'"),
  ],
)
def test_wrong_label_files_are_refused(mlp, tmp_path, capsys, text, said):
  write_images(tmp_path / 'in', 1)
  path = tmp_path / 'labels.csv'
  if text is not None:
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


def test_two_values_make_one_contrast_and_three_make_three():
  found = dict(
    contrasts(
      {
        'age': np.array(['10', '9', '10']),
        'hair': np.array(['red', 'fair', 'dark']),
      }
    )
  )
  assert list(found) == ['age', 'hair_dark', 'hair_fair', 'hair_red']
  np.testing.assert_array_equal(found['age'], [True, False, True])


def test_files_of_one_name_are_told_apart():
  files = [epath.Path(name) for name in ('a/x.png', 'b/x.jpg', 'x_2.png')]
  assert reconstruct.result_names(files) == ['x.png', 'x_2.png', 'x_2_2.png']
