"""Small data sets that tests make for themselves."""

import gzip
import pathlib

import numpy as np
import PIL.Image

SHARED = pathlib.Path(__file__).parents[3] / 'shared' / 'datasets'


def idx_bytes(array):
  """Packs unsigned bytes as an IDX file."""
  sizes = np.asarray(array.shape, '>u4').tobytes()
  return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def random_mnist(train=50, test=20, seed=0):
  """Returns {split: {'image': uint8 [N, 28, 28], 'label': uint8 [N]}}."""
  rng = np.random.default_rng(seed)
  return {
    split: {
      'image': rng.integers(0, 256, (size, 28, 28), np.uint8),
      'label': rng.integers(0, 10, size, np.uint8),
    }
    for split, size in (('train', train), ('test', test))
  }


def write_mnist(folder, data, zipped=True):
  """Writes the four IDX files."""
  folder.mkdir(parents=True, exist_ok=True)
  for split, stem in (('train', 'train'), ('test', 't10k')):
    for part, ending in (('image', 'images-idx3'), ('label', 'labels-idx1')):
      content = idx_bytes(data[split][part])
      name = f'{stem}-{ending}-ubyte' + ('.gz' if zipped else '')
      packed = gzip.compress(content, mtime=0) if zipped else content
      (folder / name).write_bytes(packed)
  return folder


def write_images(folder, count=10, side=8, seed=0):
  """Writes random RGB images 00.png …; returns uint8 [N, side, side, 3]."""
  folder.mkdir(parents=True, exist_ok=True)
  rng = np.random.default_rng(seed)
  images = rng.integers(0, 256, (count, side, side, 3), np.uint8)
  for i, image in enumerate(images):
    PIL.Image.fromarray(image).save(folder / f'{i:02d}.png')
  return images


def bytes_of(folder):
  """All files under a folder, by their path in it."""
  return {
    path.relative_to(folder): path.read_bytes()
    for path in folder.rglob('*')
    if path.is_file()
  }
