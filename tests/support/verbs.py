"""Verbs run in this process, and what they leave."""

import json

import numpy as np
from PIL import Image

from alae_jax import cli


def alae(*words):
  """Runs a command that must succeed; words may be paths or numbers."""
  assert cli.main([str(word) for word in words]) == 0


def refused(capsys, *words):
  """Runs a command that must fail with one line, and returns the line."""
  try:
    status = cli.main([str(word) for word in words])
  except SystemExit as stop:
    status = stop.code
  said = capsys.readouterr().err
  assert status == 2
  assert said.count('\n') == 1
  return said


def names(folder):
  return {path.name for path in folder.iterdir()}


def pixels(path):
  with Image.open(path) as image:
    return np.asarray(image)


def images_of(path, rows, columns, side=64):
  """A sheet without its margins for names: lines and images alone."""
  height, width = (n * (side + 2) + 2 for n in (rows, columns))
  return pixels(path)[-height:, -width:]


def record(folder, verb):
  return json.loads((folder / f'{verb}.json').read_text())
