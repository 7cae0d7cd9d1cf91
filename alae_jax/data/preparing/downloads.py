"""Files of datasets that can be downloaded without further ado."""

import contextlib
import io
from collections.abc import Sequence

import requests
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.download import (
  checksums,
  download_manager,
  util,
)

from alae_jax import storage
from alae_jax.errors import UserError

_CHECKSUMS = epath.Path(__file__).parent / 'checksums.tsv'


def fetch(name: str, urls: Sequence[str]) -> epath.Path:
  """Downloads the files of a dataset into this machine's cache, once.

  Args:
    name: of the dataset.
    urls: of its files, whose checksums are in checksums.tsv.

  Returns:
    The folder that holds them, under their own names.

  Raises:
    UserError: they can't be had, or are not the published ones.
  """
  folder = storage.cache_folder() / 'downloads' / name
  names = [url.rpartition('/')[2] for url in urls]
  if all((folder / file).exists() for file in names):
    return folder
  folder.mkdir(parents=True, exist_ok=True)
  try:
    # TFDS tries for minutes before it gives up: see if the server is there.
    requests.head(urls[0], timeout=20)
    found = _download(folder, name, urls)
  except (requests.RequestException, util.DownloadError) as error:
    kind = type(error).__name__
    raise UserError(
      f'cannot download {name} ({kind}); get its four IDX files elsewhere and '
      'give their folder as the source'
    ) from error
  except download_manager.NonMatchingChecksumError as error:
    raise UserError(
      f'the download of {name} is not the published file: '
      f'{str(error).splitlines()[0]}'
    ) from error
  for file, path in zip(names, found, strict=True):
    epath.Path(path).replace(folder / file)
  return folder


def _download(
  folder: epath.Path, name: str, urls: Sequence[str]
) -> list[epath.Path]:
  """Through TFDS, without its progress bars and its messages."""
  with contextlib.redirect_stdout(io.StringIO()):
    tfds.disable_progress_bar()
    manager = download_manager.DownloadManager(
      download_dir=folder / 'partial',
      dataset_name=name,
      url_infos=checksums.load_url_infos(_CHECKSUMS),
      force_checksums_validation=True,
    )
    found = manager.download(list(urls))
  return [epath.Path(path) for path in found]
