"""A trained model in the formats of others: a folder to publish."""

import dataclasses
import os
from collections.abc import Collection, Mapping, Sequence

from etils import epath

from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.formats import model_card
from alae_jax.formats.exporters import (
  PREVIEW,
  README,
  WEIGHTS,
  StoredRun,
  files_of,
  find,
  left_over,
)
from alae_jax.inference.loading import load_run, load_state
from alae_jax.runs import hub_address
from alae_jax.runs.folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Export:
  """What was written.

  Attributes:
    paths: of the files.
    notes: what of the run is not in them and why, a line each.
  """

  paths: list[str]
  notes: list[str]


def export(
  workdir: str,
  formats: Sequence[str],
  out: str,
  checkpoint: int | str | None = None,
  weights: str | None = None,
  overwrite: bool = False,
  license: str | None = None,
  address: str | None = None,
) -> Export:
  """Writes a model's files, a model card with examples and a picture.

  All of them are made before the first is written.

  Args:
    workdir: a run folder, or an exported one, or one on the hub.
    formats: names in EXPORTERS.
    out: a folder, made if need be.
    checkpoint: images seen, 'best', or None for the newest.
    weights: 'ema', 'live', or None for what the run is judged by.
    overwrite: whether files of an earlier export may be replaced.
    license: of the weights, by its name on the hub, for the model card; None
      for one to be filled in.
    address: on the hub, where the files will be; for the model card.

  Raises:
    UserError: there is no such model, format or folder, the model can't be
      written so, or a file is there already.
  """
  exporters = find(formats)
  folder = storage.locate(out)
  _refuse(folder, workdir, out, files_of(formats), overwrite)
  loaded = load_run(workdir, checkpoint, weights)
  run = StoredRun(
    workdir,
    loaded,
    lambda: load_state(loaded.folder.name, loaded.images_seen),
  )
  made = [exporter.load().export(run) for exporter in exporters]
  files: dict[str, bytes] = {}
  guide: dict[str, str] = {}
  for exported in made:
    files |= exported.files
    guide |= exported.guide
  files[PREVIEW] = model_card.preview(loaded.model)
  files[README] = model_card.write(run, guide, license, address).encode()
  _write(folder, files)
  return Export(
    [os.fspath(folder / name) for name in files],
    [exported.note for exported in made if exported.note],
  )


def _refuse(
  folder: epath.Path,
  workdir: str,
  out: str,
  names: Collection[str],
  overwrite: bool,
) -> None:
  """Refuses a folder that the files can't be put in, before there is work.

  Raises:
    UserError: it is a file, is a run's where that would lose something, or
      holds a file of the same name, or of an earlier export and of another.
  """
  if folder.exists() and not folder.is_dir():
    raise UserError(f'out {out} is a file: name a folder')
  storage.require_folder(folder)
  there = {path.name for path in folder.iterdir()} if folder.exists() else set()
  own = RunFolder(folder).checkpoints.name in there
  if not hub_address.is_address(workdir):
    _refuse_checkpoints(workdir, out)
    own = own or _same(workdir, out)
  if own and not set(WEIGHTS).isdisjoint(names):
    raise UserError(
      f'out {out} is a model already, whose config.json would be replaced: '
      'name another folder'
    )
  for name in sorted(there.intersection(names)):
    path = folder / name
    if path.is_dir():
      raise UserError(f'{path} is a folder: name another folder for out')
    if not overwrite:
      raise UserError(
        f'{path} exists: name another folder, or allow to overwrite it'
      )
  for name in left_over(there, names):
    raise UserError(
      f'{folder / name} is of an earlier export, and would stay as it is: '
      'name its format too, or another folder'
    )


def _refuse_checkpoints(workdir: str, out: str) -> None:
  """Checkpoints get removed as the run goes on, with what is beside them."""
  checkpoints = RunFolder(storage.locate(workdir)).checkpoints
  inside, target = _place(checkpoints), _place(storage.locate(out))
  if f'{target}/'.startswith(f'{inside}/'):
    raise UserError(f'out {out} is among the checkpoints: name another folder')


def _same(workdir: str, out: str) -> bool:
  return _place(storage.locate(workdir)) == _place(storage.locate(out))


def _place(path: epath.Path) -> str:
  """The same for every name of a folder."""
  name = os.fspath(path)
  return name if storage.is_remote(path) else os.path.realpath(name)


def _write(folder: epath.Path, files: Mapping[str, bytes]) -> None:
  """Writes the files; where one fails, those that are new are gone again."""
  fresh = not folder.exists()
  folder.mkdir(parents=True, exist_ok=True)
  new = [folder / name for name in files if not (folder / name).exists()]
  try:
    for name, content in files.items():
      storage.write_whole(folder / name, content)
  except BaseException:
    for path in new:
      path.unlink(missing_ok=True)
    if fresh and not storage.is_remote(folder):
      folder.rmdir()
    raise
