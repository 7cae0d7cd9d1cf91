"""`alae directions`, and the labels that it is given."""

import numpy as np
import pytest

import alae_jax
from tests.support.example_data import write_images
from tests.support.verbs import alae, images_of, names, record, refused


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
    grid = images_of(out / 'directions.png', 2, 7)
    for row in (grid[2:66], grid[68:132]):  # 0 steps along are in the middle
      np.testing.assert_array_equal(row[:, 200:264], grid[2:66, 200:264])
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


def test_an_mlp_takes_w_in_by_its_first_kernel(mlp, tmp_path):
  alae('directions', mlp, '--method', 'sefa', '--number', 2, '--out', tmp_path)
  kernel = alae_jax.load(mlp).params['generator']['dense_0']['kernel']
  largest = np.linalg.svd(np.asarray(kernel), compute_uv=False)[:2] ** 2
  told = record(tmp_path, 'directions')['directions']
  np.testing.assert_allclose(
    [row['eigenvalue'] for row in told], largest, rtol=1e-4
  )


def test_directions_of_the_datasets_labels(mlp, tmp_path):
  alae(
    'directions', mlp, '--method', 'labels', '--samples', 500, '--out', tmp_path
  )
  told = record(tmp_path, 'directions')['directions']
  assert [row['name'] for row in told] == [f'label_{i}' for i in range(10)]
  assert all(0 <= row['accuracy'] <= 1 for row in told)
  assert all(row['images'] == 500 for row in told)


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
    (None, 'no such file'),
    ('file,smile\nin/00.png,1\n', "every smile is '1'"),
    ('file,smile\n\nin/00.png,1\n\nno.png,1\n', 'line 5: '),
    ('file,smile\nin/00.png,"a\nb"\nno.png,1\n', 'line 4: '),
    ('file,smile\n\nin/00.png,"a\nb"\na\n', 'line 5 has 1 fields'),
    ('file,smile\n\n\n', 'must have a header'),
    ('file,smile,age,smile\nin/00.png,1,2,3\n', "names 'smile' twice"),
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
