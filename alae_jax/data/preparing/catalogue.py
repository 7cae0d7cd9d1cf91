"""The datasets of the paper and of its release: what they are made of and how.

A row says where the files come from and how they are treated; the recipes in
experiments/ train on what comes of it.
"""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Known:
  """One dataset.

  Attributes:
    title: its name.
    files: where the files come from, in what forms, and their size.
    counts: images of each split.
    resolutions: the full ones it can be made at; the first is the default.
    first_test: images of this number and above are for testing (see
      splitting.from_number); None: the files come in splits.
    channels: 3 or 1.
    window: see treatment.Treatment.
    native: the images' side, where all are squares of one size; a larger
      resolution is padded with black.
    takes: a name that matches is taken, where any does.
    urls: of files that can be downloaded without further ado.
  """

  title: str
  files: str
  counts: dict[str, int]
  resolutions: tuple[int, ...]
  first_test: int | None = None
  channels: int = 3
  window: tuple[int, int, int] | None = None
  native: int | None = None
  takes: re.Pattern[str] | None = None
  urls: tuple[str, ...] = ()


_IDX = tuple(
  f'{stem}-{part}-ubyte.gz'
  for stem in ('train', 't10k')
  for part in ('images-idx3', 'labels-idx1')
)
_MNIST = 'https://storage.googleapis.com/cvdf-datasets/mnist/'
_FASHION = 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/'

DATASETS = {
  'mnist': Known(
    title='MNIST',
    files='downloaded (11 MB), or the four IDX files, or Parquet of '
    'huggingface.co/datasets/ylecun/mnist',
    counts={'train': 60_000, 'test': 10_000},
    resolutions=(28, 32),
    channels=1,
    native=28,
    urls=tuple(_MNIST + name for name in _IDX),
  ),
  'fashion_mnist': Known(
    title='Fashion-MNIST',
    files='downloaded (30 MB), or the four IDX files, or Parquet of '
    'huggingface.co/datasets/zalando-datasets/fashion_mnist',
    counts={'train': 60_000, 'test': 10_000},
    resolutions=(28, 32),
    channels=1,
    native=28,
    urls=tuple(_FASHION + name for name in _IDX),
  ),
  'ffhq': Known(
    title='FFHQ',
    files='github.com/NVlabs/ffhq-dataset: the folder or zip images1024x1024 '
    "(89 GB), or StyleGAN's TFRecords ffhq-r10.tfrecords (90 GB)",
    counts={'train': 60_000, 'test': 10_000},
    resolutions=(1024, 512, 256, 128),
    # NVIDIA's split, and that which the published checkpoints trained on.
    first_test=60_000,
  ),
  'celebahq': Known(
    title='CelebA-HQ',
    files='github.com/switchablenorms/CelebAMask-HQ: the folder or zip (3 GB); '
    "TFDS's data256x256.tar or data1024x1024.tar; imgHQ*.npy of the dataset's "
    'own tool (90 GB); or Parquet of a hub',
    counts={'train': 29_000, 'test': 1_000},
    resolutions=(256, 1024, 512, 128),
    first_test=29_000,
    # Masks lie beside the faces.
    takes=re.compile(r'(^|/)CelebA-HQ-img/'),
  ),
  'bedroom': Known(
    title='LSUN bedrooms',
    files='github.com/fyu/lsun: a folder with bedroom_train_lmdb and '
    'bedroom_val_lmdb, unzipped (43 GB and 5 MB)',
    counts={'train': 3_033_042, 'test': 300},
    resolutions=(256, 128),
  ),
  'celeba': Known(
    title='CelebA',
    files='mmlab.ie.cuhk.edu.hk/projects/CelebA.html: img_align_celeba.zip '
    '(1.4 GB), or the folder in it',
    counts={'train': 182_637, 'test': 19_962},
    resolutions=(128, 64),
    # The official partition goes by number: 1 to 162,770 for training, to
    # 182,637 for validation, on which the release trains too, then for testing.
    first_test=182_638,
    # The release's window of the aligned 178x218 images, not resized.
    window=(60, 25, 128),
  ),
}
