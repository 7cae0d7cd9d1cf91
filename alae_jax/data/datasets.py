"""The datasets that are there, by name: what training and metrics open."""

from etils import epath

from alae_jax import storage
from alae_jax.config import UNNAMED
from alae_jax.data import checksums, digits, prepared, tfds_folders
from alae_jax.data.dataset import ArrayDataset, Dataset
from alae_jax.data.preparing import levels
from alae_jax.data.preparing.catalogue import DATASETS
from alae_jax.data.sources import tfds_source
from alae_jax.errors import UserError

SPLITS = ('train', 'test')
DIGITS = 'digits'  # the dataset that needs no preparing


class Missing(UserError):
  """A dataset is not there, and the message says how to make it."""


def open_dataset(
  name: str, data_dir: epath.PathLike, split: str, resolution: int
) -> Dataset:
  """Opens one split of a dataset at one resolution.

  Args:
    name: 'digits', which is always there, or the name of a dataset that
      `alae prepare` made.
    data_dir: where datasets are kept; local or remote.
    split: 'train' or 'test'.
    resolution: the images' side.

  Raises:
    Missing: there is no such dataset or resolution; the message says how to
      make it.
    UserError: it can't be there, or has no such split.
  """
  if split not in SPLITS:
    raise UserError(f'split {split!r} is not one of {", ".join(SPLITS)}')
  if name == DIGITS:
    return _open_digits(split, resolution)
  directory = _directory(name, data_dir, resolution)
  dataset = prepared.PreparedDataset(directory, split)
  if dataset.resolution != resolution:
    raise UserError(
      f'{directory} holds images of {dataset.resolution}x{dataset.resolution}, '
      f'not {resolution}x{resolution}: {checksums.GET_BACK}'
    )
  return dataset


def has_split(
  name: str, data_dir: epath.PathLike, split: str, resolution: int
) -> bool:
  """Whether a dataset that is there has a split: small ones have no test.

  The arguments and errors are those of `open_dataset`.
  """
  if name == DIGITS:
    return split in SPLITS
  info = prepared.describe(_directory(name, data_dir, resolution))
  return prepared.own_name(split, info) is not None


def available(name: str, data_dir: epath.PathLike) -> dict[int, epath.Path]:
  """Returns the resolutions a dataset is there at, and their folders.

  Only whole datasets count. Of several versions the newest does.
  """
  root = storage.locate(data_dir) / name
  if not root.is_dir():
    return {}
  found = {}
  for config in root.iterdir():
    if config.name.isdecimal() and (whole := tfds_folders.versions(config)):
      found[int(config.name)] = whole[0]
  return found


def _directory(
  name: str, data_dir: epath.PathLike, resolution: int
) -> epath.Path:
  """The folder of a dataset at one resolution."""
  if name == UNNAMED:
    raise Missing(
      f'config.data.name is {UNNAMED!r}: an imported run does not know its '
      'dataset; give --config.data.name=NAME when importing it or training '
      "it on, or write it into the run's config.json"
    )
  found = available(name, data_dir)
  if resolution in found:
    return found[resolution]
  of_tfds = None if found else tfds_folders.look(name, data_dir)
  if of_tfds is None:
    raise Missing(_missing(name, data_dir, resolution, sorted(found)))
  info = prepared.describe(of_tfds)
  image, _ = tfds_source.feature_names(of_tfds, info)
  height, width, _ = info.features[image].shape
  if (height, width) != (resolution, resolution):
    size = f'{height}x{width}' if height else 'of many sizes'
    raise Missing(
      f"dataset '{name}' of TFDS is {size}, not {resolution}x{resolution}: "
      + prepared.pyramid_of(of_tfds)
      + f' --data_dir {data_dir}'
    )
  return of_tfds


def _open_digits(split: str, resolution: int) -> ArrayDataset:
  if resolution != 8:
    raise UserError(
      f"dataset '{DIGITS}' is 8x8, not {resolution}x{resolution}; "
      'set the resolution to 8'
    )
  image, label = digits.load_digits(split)
  return ArrayDataset(DIGITS, image, label, num_classes=10)


def _missing(
  name: str, data_dir: epath.PathLike, resolution: int, found: list[int]
) -> str:
  """Says what is not there, what is, and the command that makes it."""
  there = ', '.join(f'{r}x{r}' for r in found)
  instead = f' (there: {there})' if found else ''
  return (
    f"no dataset '{name}' at {resolution}x{resolution} in {data_dir}{instead}; "
    + _remedy(name, data_dir, resolution, found)
  )


def _remedy(
  name: str, data_dir: epath.PathLike, resolution: int, found: list[int]
) -> str:
  """Says which command makes a dataset."""
  known = DATASETS.get(name)
  if known and known.native:
    padded = known.resolutions[-1]
    if resolution == known.native:
      options = ''
    elif resolution in levels.pyramid(padded):
      options = f' --resolution {padded}'
    else:
      return (
        f'{name} is {known.native}x{known.native}, or padded to '
        f'{padded}x{padded}, and halved down to 4x4'
      )
  else:
    # The full one: what is missing below it is made with it.
    full = max(resolution, *found) if found else resolution
    source = name.upper() if known else 'FOLDER'
    options = f' --source {source} --resolution {full}'
    options += ' --overwrite' if found and full == resolution else ''
  return f'make it with: alae prepare {name}{options} --data_dir {data_dir}'
