"""Labels, fits, small and deep images, as a user sees them."""

import os

import numpy as np
import PIL.Image
import pytest

from alae_jax.data import datasets, prepare
from alae_jax.errors import UserError
from tests.support.example_data import write_images
from tests.support.example_sources import random_images, write_zip


def labels(name, data_dir, split='train'):
  dataset = datasets.open_dataset(name, data_dir, split, 8)
  return dataset.batch(range(len(dataset)))['label'].tolist()


@pytest.fixture
def classes(tmp_path):
  """Two folders of images."""
  for name in ('dog', 'cat'):
    write_images(tmp_path / 'animals' / name, count=3)
  return tmp_path / 'animals'


def test_folders_are_classes(classes, tmp_path):
  prepare.prepare('animals', classes, tmp_path, test_images=0, labels='folders')
  assert labels('animals', tmp_path) == [0, 0, 0, 1, 1, 1]
  dataset = datasets.open_dataset('animals', tmp_path, 'train', 8)
  assert dataset.class_names == ['cat', 'dog']


def test_a_csv_gives_classes(classes, tmp_path):
  rows = [
    f'{name}/{i:02d}.png,{"old" if i else "young"}'
    for name in ('cat', 'dog')
    for i in range(3)
  ]
  (tmp_path / 'ages.csv').write_text('\n'.join(['file,age', *rows]))
  prepare.prepare(
    'animals', classes, tmp_path, test_images=0, labels=tmp_path / 'ages.csv'
  )
  assert labels('animals', tmp_path) == [1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('', 'must have a header'),
    ('file,age\ncat/00.png,old,1', 'must have a header'),
    ('file,age\ncat/00.png,old', r'lacks 5 of 6 images, such as cat/01\.png'),
    (b'\xff\xfe', 'is not UTF-8'),
  ],
)
def test_a_csv_that_does_not_fit_is_refused(classes, tmp_path, text, message):
  content = text if isinstance(text, bytes) else text.encode()
  (tmp_path / 'a.csv').write_bytes(content)
  with pytest.raises(UserError, match=message):
    prepare.prepare('x', classes, tmp_path, labels=tmp_path / 'a.csv')
  assert not datasets.available('x', tmp_path)


def test_images_in_no_folder_have_no_class(tmp_path):
  write_images(tmp_path / 'flat')
  with pytest.raises(UserError, match=r'labels folders: 00\.png .* no folder'):
    prepare.prepare('x', tmp_path / 'flat', tmp_path, labels='folders')


def test_labels_of_the_source_can_be_left_out(tmp_path):
  path = write_zip(tmp_path / 'a.zip', random_images(4), labels=[0, 1, 1, 0])
  prepare.prepare('with', path, tmp_path, test_images=0)
  prepare.prepare('without', path, tmp_path, test_images=0, labels='none')
  assert labels('with', tmp_path) == [0, 1, 1, 0]
  assert not datasets.open_dataset('without', tmp_path, 'train', 8).has_labels


@pytest.mark.parametrize('fit', ['crop', 'pad', 'stretch'])
def test_fits_of_images_that_are_not_square(tmp_path, fit):
  (tmp_path / 'wide').mkdir()
  pixels = np.zeros((8, 16, 3), np.uint8)
  pixels[:, 4:12] = 255
  PIL.Image.fromarray(pixels).save(tmp_path / 'wide' / 'a.png')
  prepare.prepare('wide', tmp_path / 'wide', tmp_path, 8, 0, fit=fit)
  image = datasets.open_dataset('wide', tmp_path, 'train', 8)[0]['image']
  white = {'crop': 64, 'pad': 4 * 4, 'stretch': 8 * 4}[fit]
  assert (image[..., 0] == 255).sum() == white


def test_one_small_image_is_named_and_does_not_rule_unseen(tmp_path, capsys):
  write_images(tmp_path / 'pictures', count=20, side=32)
  PIL.Image.new('RGB', (20, 9)).save(tmp_path / 'pictures' / 'thumb.png')
  prepare.prepare('one', tmp_path / 'pictures', tmp_path)
  assert max(datasets.available('one', tmp_path)) == 8
  said = capsys.readouterr().err
  assert (
    'resolution 8, for thumb.png has a side of 9: without 1 of 21 images it '
    'could be 32' in said
  )
  prepare.prepare(
    'two', tmp_path / 'pictures', tmp_path, 32, 0, bad_files='skip'
  )
  assert len(datasets.open_dataset('two', tmp_path, 'train', 32)) == 20
  skipped = (tmp_path / 'two' / 'skipped.txt').read_text()
  assert skipped == 'thumb.png\t20x9 is smaller than 32x32\n'


def test_small_images_are_enlarged_only_if_that_is_meant(tmp_path):
  write_images(tmp_path / 'pictures', count=3, side=8)
  with pytest.raises(UserError, match='8x8 is smaller than 16x16'):
    prepare.prepare('x', tmp_path / 'pictures', tmp_path, 16)
  prepare.prepare('x', tmp_path / 'pictures', tmp_path, 16, enlarge=True)
  assert 16 in datasets.available('x', tmp_path)


def test_dark_deep_images_are_told_with_the_remedy(tmp_path, capsys):
  (tmp_path / 'deep').mkdir()
  values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 65
  PIL.Image.fromarray(values).save(tmp_path / 'deep' / 'a.png')
  prepare.prepare('dark', tmp_path / 'deep', tmp_path, 8, 0, 1)
  said = capsys.readouterr().err
  assert 'reach only 4,095 of 65,535' in said
  assert 'depth_range 0,4095' in said
  prepare.prepare(
    'light', tmp_path / 'deep', tmp_path, 8, 0, 1, depth_range=(0, 4095)
  )
  image = datasets.open_dataset('light', tmp_path, 'train', 8)[0]['image']
  assert image.max() == 255
  assert 'warning' not in capsys.readouterr().err


def test_each_real_file_counts_once(tmp_path, capsys):
  """Links in a circle, to folders and to files, and hard ones."""
  folder = tmp_path / 'pictures'
  write_images(folder / 'a', count=4)
  (folder / 'b').mkdir()
  os.symlink(folder / 'a', folder / 'b' / 'a')
  os.symlink(folder, folder / 'a' / 'all')
  os.symlink(folder / 'a' / '00.png', folder / 'first.png')
  os.link(folder / 'a' / '01.png', folder / 'z.png')
  os.symlink(folder / 'nowhere.png', folder / 'dangling.png')
  os.mkfifo(folder / 'pipe.png')
  prepare.prepare('x', folder, tmp_path, 8, 0, bad_files='skip')
  assert len(datasets.open_dataset('x', tmp_path, 'train', 8)) == 4
  skipped = (tmp_path / 'x' / 'skipped.txt').read_text()
  assert skipped.startswith('dangling.png\tNo such file')
  assert '1 pipe or device' in capsys.readouterr().err


def test_names_that_are_no_text_can_be_prepared(tmp_path):
  folder = tmp_path / 'pictures'
  write_images(folder, count=3)
  os.rename(folder / '01.png', os.fsencode(folder) + b'/caf\xe9.png')
  prepare.prepare('x', folder, tmp_path, test_images=1)
  (folder / '00.png').write_bytes(b'')
  os.rename(
    os.fsencode(folder) + b'/caf\xe9.png', os.fsencode(folder) + b'/\xff.png'
  )
  prepare.prepare('y', folder, tmp_path, 8, bad_files='skip')
  assert len(datasets.open_dataset('y', tmp_path, 'train', 8)) == 2


def test_what_was_not_taken_is_told_by_kind(tmp_path, capsys):
  folder = tmp_path / 'pictures'
  write_images(folder, count=3)
  for name in ('a.txt', 'b.txt', 'c.xcf', 'noise'):
    (folder / name).write_text('text')
  os.rename(folder / '01.png', folder / 'without')
  os.rename(folder / '02.png', folder / 'UPPER.PNG')
  prepare.prepare('x', folder, tmp_path, test_images=0)
  assert len(datasets.open_dataset('x', tmp_path, 'train', 8)) == 3
  assert (
    'not taken as images: 2 .txt, 1 .xcf, 1 without suffix'
    in capsys.readouterr().err
  )


def test_most_bad_means_all_and_is_told_early(tmp_path, monkeypatch):
  folder = tmp_path / 'pictures'
  folder.mkdir()
  for i in range(600):
    (folder / f'{i:03d}.png').write_bytes(b'text')
  write_images(folder / 'good', count=2)
  with pytest.raises(UserError, match=r'of the first \d+ images .*\.png: it'):
    prepare.prepare('x', folder, tmp_path, 8)
  assert not (tmp_path / 'x.unfinished').exists()
