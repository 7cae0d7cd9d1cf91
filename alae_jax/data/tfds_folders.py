"""Where TFDS keeps datasets: data_dir/NAME[/CONFIG]/VERSION."""

import re

from etils import epath

from alae_jax import storage
from alae_jax.errors import UserError

INFO = 'dataset_info.json'  # with which TFDS takes a folder for a dataset
_VERSION = re.compile(r'\d+\.\d+\.\d+')
_SPELLING = re.compile(r'(\w+)(?:/([\w.-]+))?(?::(\d+\.\d+\.\d+))?')


def versions(folder: epath.Path) -> list[epath.Path]:
  """The whole datasets in a folder, the newest first.

  TFDS writes to a folder incomplete.…_1.0.0, which it renames at the end.
  """
  if not folder.is_dir():
    return []
  found = [
    path
    for path in folder.iterdir()
    if _VERSION.fullmatch(path.name) and (path / INFO).exists()
  ]
  return sorted(found, key=_number, reverse=True)


def find(spelling: str, data_dir: epath.PathLike) -> epath.Path:
  """The folder of a dataset, as TFDS spells it: NAME[/CONFIG][:VERSION].

  Raises:
    UserError: it isn't there, or there are several configs to choose from.
  """
  found = look(spelling, data_dir)
  if found is None:
    raise UserError(f"no dataset '{spelling}' of TFDS in {data_dir}")
  return found


def look(spelling: str, data_dir: epath.PathLike) -> epath.Path | None:
  """Likewise; None: it isn't there.

  Raises:
    UserError: there are several configs to choose from.
  """
  match = _SPELLING.fullmatch(spelling)
  if not match:
    return None
  name, config, version = match.groups()
  root = storage.locate(data_dir) / name
  folder = root / config if config else root
  found = versions(folder)
  if not found and not config and root.is_dir():
    configs = [path for path in sorted(root.iterdir()) if versions(path)]
    if len(configs) > 1:
      choice = ', '.join(f'{name}/{path.name}' for path in configs)
      raise UserError(f"'{name}' has several configs: name one of {choice}")
    found = [v for path in configs for v in versions(path)]
  found = [path for path in found if version in (None, path.name)]
  return found[0] if found else None


def _number(path: epath.Path) -> list[int]:
  return [int(part) for part in path.name.split('.')]
