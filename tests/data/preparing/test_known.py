"""The datasets that are known by name: crop, split, counts."""

import dataclasses

import numpy as np
import PIL.Image
import pytest

from alae_jax.data import datasets, prepare
from alae_jax.data.preparing import catalogue, levels, splitting
from alae_jax.errors import UserError
from tests.support.example_sources import png, random_images, write_lmdb

KNOWN = catalogue.DATASETS


@pytest.fixture
def small(monkeypatch):
  """Makes a known dataset small, that of a name."""

  def shrink(name, **changes):
    known = dataclasses.replace(KNOWN[name], **changes)
    monkeypatch.setitem(KNOWN, name, known)

  return shrink


def arrays(name, data_dir, split, resolution=8):
  dataset = datasets.open_dataset(name, data_dir, split, resolution)
  return dataset.batch(range(len(dataset)))


def test_ffhq_splits_by_number_and_not_by_place(tmp_path, small, capsys):
  """NVIDIA's split: 60,000 and above are for testing; 6 and above here."""
  small('ffhq', resolutions=(8,), first_test=6, counts={'train': 6, 'test': 2})
  wanted = random_images(8)
  order = [3, 7, 0, 5, 1, 6, 2, 4]
  for number in order:  # ten folders, as in the real one
    folder = tmp_path / 'images' / f'{number // 3:05d}'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{number:05d}.png').write_bytes(png(wanted[number]))
  prepare.prepare('ffhq', tmp_path / 'images', tmp_path)
  for split, rows in (('train', range(6)), ('test', (6, 7))):
    np.testing.assert_array_equal(
      arrays('ffhq', tmp_path, split)['image'], wanted[list(rows)]
    )
  assert 'warning' not in capsys.readouterr().err


def test_other_counts_than_the_published_ones_are_told(tmp_path, small, capsys):
  small('ffhq', resolutions=(8,), first_test=6, counts={'train': 6, 'test': 2})
  (tmp_path / 'images').mkdir()
  for i, image in enumerate(random_images(7)):
    (tmp_path / 'images' / f'{i}.png').write_bytes(png(image))
  prepare.prepare('ffhq', tmp_path / 'images', tmp_path)
  said = capsys.readouterr().err
  assert (
    'FFHQ has 6 train, 2 test images, the source 6 train, 1 test: numbers '
    'will not compare' in said
  )


def test_celebas_window_and_official_partition(tmp_path, small):
  """The 128x128 pixels from row 60, column 25, and not resized."""
  small('celeba', first_test=3)
  rng = np.random.default_rng(0)
  wanted = rng.integers(0, 256, (4, 218, 178, 3), np.uint8)
  (tmp_path / 'img_align_celeba').mkdir()
  for i, image in enumerate(wanted, start=1):
    PIL.Image.fromarray(image).save(
      tmp_path / 'img_align_celeba' / f'{i:06d}.png'
    )
  prepare.prepare('celeba', tmp_path / 'img_align_celeba', tmp_path)
  cut = wanted[:, 60:188, 25:153]
  got = [arrays('celeba', tmp_path, s, 128)['image'] for s in ('train', 'test')]
  np.testing.assert_array_equal(got[0], cut[:2])
  np.testing.assert_array_equal(got[1], cut[2:])


def test_of_celebamask_only_the_faces_are_taken(tmp_path, small, capsys):
  small('celebahq', resolutions=(8,), first_test=3)
  wanted = random_images(4)
  for i, image in enumerate(wanted):
    for folder, name in (
      ('CelebA-HQ-img', f'{i}'), ('CelebAMask-HQ-mask-anno/0', f'{i:05d}_hair'),
    ):  # fmt: skip
      (tmp_path / 'hq' / folder).mkdir(parents=True, exist_ok=True)
      (tmp_path / 'hq' / folder / f'{name}.png').write_bytes(png(image))
  prepare.prepare('celebahq', tmp_path / 'hq', tmp_path)
  assert len(arrays('celebahq', tmp_path, 'train')['image']) == 3
  np.testing.assert_array_equal(
    arrays('celebahq', tmp_path, 'test')['image'], wanted[3:]
  )
  assert 'masks or other images, 4' in capsys.readouterr().err


def test_bedrooms_have_lsuns_own_test_images(tmp_path, small):
  small('bedroom', resolutions=(8,))
  wanted = random_images(7)
  (tmp_path / 'lsun').mkdir()
  write_lmdb(tmp_path / 'lsun' / 'bedroom_train_lmdb', wanted[:5])
  write_lmdb(tmp_path / 'lsun' / 'bedroom_val_lmdb', wanted[5:])
  prepare.prepare('bedroom', tmp_path / 'lsun', tmp_path, max_images=3)
  np.testing.assert_array_equal(
    arrays('bedroom', tmp_path, 'train')['image'], wanted[:3]
  )
  np.testing.assert_array_equal(
    arrays('bedroom', tmp_path, 'test')['image'], wanted[5:]
  )


def test_another_split_is_another_dataset(tmp_path, small):
  small('ffhq', resolutions=(8,), first_test=6)
  (tmp_path / 'images').mkdir()
  for i, image in enumerate(random_images(8)):
    (tmp_path / 'images' / f'{i}.png').write_bytes(png(image))
  found = set()
  for i, options in enumerate(
    ({}, {'test_images': 2}, {'test_images': 1}, {'max_images': 5})
  ):
    path = prepare.prepare(
      'ffhq', tmp_path / 'images', tmp_path / str(i), **options
    )[0]
    metadata = levels.read_metadata(path)
    found.add((metadata['made_from'], metadata['fingerprint']))
  assert len({f[0] for f in found}) == len({f[1] for f in found}) == 4
  with pytest.raises(UserError, match='made of other images or with other'):
    prepare.prepare('ffhq', tmp_path / 'images', tmp_path / '0', test_images=2)


def test_mnist_of_other_sizes_is_refused(tmp_path):
  (tmp_path / 'images').mkdir()
  for i, image in enumerate(random_images(3)):
    (tmp_path / 'images' / f'{i}.png').write_bytes(png(image))
  with pytest.raises(UserError, match=r'0\.png: it is 8x8, not 28x28'):
    prepare.prepare('mnist', tmp_path / 'images', tmp_path)


@pytest.mark.parametrize(
  ('names', 'first', 'train', 'test'),
  [
    (['10.png', '9.png', '2.png'], 9, [2], [1, 0]),  # by number, not by name
    (['a', 'b', 'c'], 2, [0, 1], [2]),  # without numbers, by place
    (['1/7.png', '2/7.png', '3/8.png'], 2, [0, 1], [2]),  # the same twice
    (['x1y5.png', 'x2y4.png'], 5, [1], [0]),  # the last one counts
    (['00000/00001.png', '69000/69999.png'], 60_000, [0], [1]),
  ],
)
def test_numbers_in_names(names, first, train, test):
  splits = splitting.from_number(first, names)
  assert splits['train'].tolist() == train
  assert splits['test'].tolist() == test


def test_the_hash_of_names_sets_the_same_apart_as_ever():
  """A run's test images must not become training images of the next."""
  names = [f'{i:02d}.png' for i in range(20)]
  splits = splitting.by_hash(names, 5)
  assert splits['test'].tolist() == EVER
  # Other names beside don't change their order, and a share is a count.
  assert splitting.by_hash(names, 0.25)['test'].tolist() == EVER
  assert len(splitting.by_hash(names, None)['test']) == 2


EVER = [2, 3, 4, 6, 18]


@pytest.mark.parametrize('name', KNOWN)
def test_every_row_can_be_made(name):
  known = KNOWN[name]
  assert known.files
  assert list(known.counts) == ['train', 'test']
  for resolution in known.resolutions:
    assert resolution in levels.RESOLUTIONS or resolution == known.native
