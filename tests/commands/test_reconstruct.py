"""`alae reconstruct`, from the command line to the files it leaves."""

import json

import numpy as np
import pytest
from etils import epath
from PIL import Image

from alae_jax.commands import reconstruct
from tests.support.example_data import write_images
from tests.support.verbs import alae, names, pixels, record, refused


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
  np.testing.assert_array_equal(sheet[-66:-2:8, 2:66:8], grey)
  np.testing.assert_array_equal(
    sheet[-66:-2:8, 68:132:8], pixels(tmp_path / 'out' / '00.png')
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


def test_files_of_one_name_are_told_apart():
  files = [epath.Path(name) for name in ('a/x.png', 'b/x.jpg', 'x_2.png')]
  assert reconstruct.result_names(files) == ['x.png', 'x_2.png', 'x_2_2.png']


def test_a_name_may_be_as_long_as_names_can_be(mlp, tmp_path):
  image = tmp_path / ('x' * 255)
  Image.fromarray(np.full((8, 8), 200, np.uint8)).save(image, 'PNG')
  alae('reconstruct', mlp, image, image, '--out', tmp_path / 'out')
  assert {f'{"x" * 240}.png', f'{"x" * 240}_2.png'} <= names(tmp_path / 'out')


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
