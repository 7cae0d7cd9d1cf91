"""The run folder: what lies where, and how it is written safely."""

import dataclasses
import json
import os

import ml_collections
from etils import epath

from alae_jax import config as config_lib
from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.runs import hub, hub_address


@dataclasses.dataclass(frozen=True)
class RunFolder:
  """Paths of a run; local or remote (gs://...).

  Attributes:
    path: the folder itself, --workdir.
    address: where on the hub it is a copy of, with the commit; '' for none.
  """

  path: epath.Path
  address: str = ''

  @property
  def name(self) -> str:
    """By which it can be opened again, and is told of."""
    return self.address or os.fspath(self.path)

  @property
  def config(self) -> epath.Path:
    """The resolved config, JSON."""
    return self.path / 'config.json'

  @property
  def checkpoints(self) -> epath.Path:
    """One folder a checkpoint, named by images seen."""
    return self.path / 'checkpoints'

  @property
  def tensors(self) -> epath.Path:
    """Of an exported model, which has no checkpoints; see exported."""
    return self.path / 'model.safetensors'

  @property
  def metrics(self) -> epath.Path:
    """Records, a JSON object a line."""
    return self.path / 'metrics.jsonl'

  @property
  def pictures(self) -> epath.Path:
    """PNG grids."""
    return self.path / 'pictures'

  @property
  def owner(self) -> epath.Path:
    """Which process trains here, see ownership."""
    return self.path / 'owner.json'

  @property
  def log(self) -> epath.Path:
    """What the console said."""
    return self.path / 'log.txt'


def open_folder(workdir: str) -> RunFolder:
  """An existing run folder, or a copy of a model on the hub (hf://...).

  Raises:
    UserError: there is none, or it can't be had.
  """
  if hub_address.is_address(workdir):
    return _fetch(hub_address.parse(workdir))
  folder = RunFolder(storage.locate(workdir))
  if not folder.config.exists():
    raise UserError(f'{workdir} is not a run folder: {_lack(folder)}')
  storage.require_file(folder.config)
  return folder


def _fetch(address: hub_address.Address) -> RunFolder:
  """What an exported model needs, all of one commit.

  Raises:
    UserError: it can't be had, or is another's model.
  """
  address = hub.pin(address)
  config = hub.fetch(address, 'config.json')
  folder = RunFolder(config.parent, str(address))
  # Before what may be gigabytes.
  if config_lib.exported(folder.config) is None:
    raise UserError(
      f'{address} holds no model that alae_jax reads: its config.json has no '
      'section exported'
    )
  hub.fetch(address, folder.tensors.name)
  return folder


def _lack(folder: RunFolder) -> str:
  """Why a folder is no run's; for what users take for one, what to give."""
  if not folder.path.exists():
    return 'there is no such folder'
  if not folder.path.is_dir():
    return 'it is a file'
  remote = storage.is_remote(folder.path)
  whole = folder.path if remote else folder.path.absolute()
  for above in (whole.parent, whole.parent.parent):  # checkpoints/, one of them
    if RunFolder(above).config.exists():
      return f'it has no config.json, and {above} has: give that'
  return 'it has no config.json'


def stored_config(folder: RunFolder) -> ml_collections.ConfigDict | None:
  """The config of the run that a folder holds, or None for a new one.

  Raises:
    UserError: it is something else than a run folder.
  """
  if folder.config.exists():
    storage.require_file(folder.config)
    if config_lib.exported(folder.config) is not None:
      raise UserError(
        f'workdir {folder.path} holds an exported model, which cannot be '
        'trained on: name another folder'
      )
    return config_lib.load(folder.config)
  if folder.path.exists() and not folder.path.is_dir():
    raise UserError(f'workdir {folder.path} is a file: name a folder')
  if folder.checkpoints.exists():
    raise UserError(
      f'{folder.path} has checkpoints but no config.json: put '
      'it back, or name another folder'
    )
  return None


def write_config(folder: RunFolder, config: ml_collections.ConfigDict) -> None:
  """Makes the folder and its config.json, whole or not at all."""
  folder.pictures.mkdir(parents=True, exist_ok=True)
  text = json.dumps(config.to_dict(), indent=2) + '\n'
  storage.write_whole(folder.config, text.encode())
