"""A prepared dataset's files: one TFDS dataset a level, as TFDS reads it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from alae_jax.data import checksums, remote

RESOLUTIONS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
VERSION = '1.0.0'


@dataclasses.dataclass(frozen=True)
class ShardFile:
  """One file of a split.

  Attributes:
    path: where it is now.
    images: in it; at least one.
    payload: its records' bytes, before ArrayRecord packs them.
    sha256: of its bytes.
  """

  path: epath.Path
  images: int
  payload: int
  sha256: str


def pyramid(full: int) -> tuple[int, ...]:
  """Returns the resolutions prepared with a full one, the full one first.

  A power of two has all those below it, down to 4; any other (MNIST's own
  28) stands alone.
  """
  if full not in RESOLUTIONS:
    return (full,)
  return tuple(r for r in reversed(RESOLUTIONS) if r <= full)


def folder_of(data_dir: epath.Path, name: str, resolution: int) -> epath.Path:
  """Where a level of a dataset is: data_dir/NAME/128/1.0.0."""
  return data_dir / name / str(resolution) / VERSION


def assemble(
  data_dir: epath.Path,
  name: str,
  resolution: int,
  channels: int,
  class_names: Sequence[str] | None,
  splits: Mapping[str, Sequence[ShardFile]],
  metadata: Mapping[str, Any],
) -> epath.Path:
  """Moves a level's files into its folder, and describes them.

  Done again after a kill it does what is left. The folder reads as a dataset
  when all is there.

  Args:
    data_dir: where the datasets are.
    name: of this one.
    resolution: of this level.
    channels: 3 or 1.
    class_names: of the labels; None: there are none.
    splits: the files of each split that has any.
    metadata: what else to tell of it.

  Returns:
    The folder.
  """
  directory = folder_of(data_dir, name, resolution)
  directory.mkdir(parents=True, exist_ok=True)
  info = _info(data_dir, name, resolution, channels, class_names, metadata)
  info.set_file_format('array_record')
  known = {}
  described = []
  for split, files in splits.items():
    template = tfds.core.ShardedFileTemplate(
      data_dir=directory,
      dataset_name=name,
      split=split,
      filetype_suffix='array_record',
    )
    for i, file in enumerate(files):
      target = epath.Path(
        template.sharded_filepath(shard_index=i, num_shards=len(files))
      )
      if file.path.exists():
        remote.move_file(file.path, target)
      known[target.name] = file.sha256
    described.append(
      tfds.core.SplitInfo(
        name=split,
        shard_lengths=[file.images for file in files],
        num_bytes=sum(file.payload for file in files),
        filename_template=template,
      )
    )
  info.set_splits(tfds.core.splits.SplitDict(described))
  info.write_to_directory(directory)
  checksums.write(directory, known)
  return directory


def read_metadata(directory: epath.Path) -> dict[str, Any]:
  """What else a level's description tells; empty for a dataset not ours."""
  return dict(tfds.builder_from_directory(directory).info.metadata or {})


def _info(
  data_dir: epath.Path,
  name: str,
  resolution: int,
  channels: int,
  class_names: Sequence[str] | None,
  metadata: Mapping[str, Any],
) -> tfds.core.DatasetInfo:
  features: dict[str, Any] = {
    'image': tfds.features.Image(
      shape=(resolution, resolution, channels), encoding_format='png'
    )
  }
  if class_names is not None:
    features['label'] = tfds.features.ClassLabel(names=list(class_names))
  identity = tfds.core.dataset_info.DatasetIdentity(
    name=name,
    version=tfds.core.Version(VERSION),
    data_dir=str(folder_of(data_dir, name, resolution)),
    module_name=__name__,
    config_name=str(resolution),
  )
  return tfds.core.DatasetInfo(
    builder=identity,
    features=tfds.features.FeaturesDict(features),
    metadata=tfds.core.MetadataDict(metadata),
    disable_shuffling=True,  # in the order of the source; training shuffles
  )
