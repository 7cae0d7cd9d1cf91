"""Checkpoints, and what becomes of them."""

import pathlib

DATA = '**/d/*'


def make_empty(folder: pathlib.Path) -> None:
  for path in sorted(folder.rglob('*'), reverse=True):
    path.rmdir() if path.is_dir() else path.unlink()


def make_a_file(folder: pathlib.Path) -> None:
  make_empty(folder)
  folder.rmdir()
  folder.write_text('no folder')


def delete_data(folder: pathlib.Path) -> None:
  for path in folder.glob(DATA):
    path.unlink()


def truncate_data(folder: pathlib.Path) -> None:
  for path in folder.glob(DATA):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def garble(name: str):
  def damage(folder: pathlib.Path) -> None:
    (folder / name).write_bytes(b'\x00\xffgarbage{')

  damage.__name__ = f'garble_{name.rpartition("/")[2]}'
  return damage


# Each is told of with checksums or without.
DAMAGES = [
  make_empty,
  make_a_file,
  delete_data,
  truncate_data,
  garble('default/_METADATA'),
  garble('default/manifest.ocdbt'),
]
