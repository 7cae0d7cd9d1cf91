"""A folder in which every wrong input is tried, and what must come of it."""

import os
import pathlib
import shutil
import warnings

import pytest

from tests.support import example_runs, verbs, wrong_paths

DIGITS = pathlib.Path(__file__).parents[2] / 'experiments' / 'digits.py'


@pytest.fixture(scope='session')
def place(tmp_path_factory):
  """Holds the runs mlp, style and growing, and much that is wrong."""
  folder = tmp_path_factory.mktemp('place')
  example_runs.mlp_run(folder / 'mlp')
  example_runs.style_run(folder / 'style')
  growing = example_runs.make_style_config()
  growing.growth.images_per_level = 1600
  example_runs.write_run(folder / 'growing', growing)
  shutil.copytree(folder / 'mlp', folder / 'faces')
  config = folder / 'faces' / 'config.json'
  config.write_text(config.read_text().replace('"digits"', '"faces"'))
  shutil.copy(DIGITS, folder)
  wrong_paths.make(folder)
  return folder


def content(folder):
  """Every name below a folder, with size and time of what is no folder."""
  found = {}
  for root, folders, files in os.walk(folder):
    for name in folders + files:
      path = pathlib.Path(root, name)
      stat = path.lstat()
      found[path] = None if path.is_dir() else (stat.st_size, stat.st_mtime_ns)
  return found


@pytest.fixture
def wrong(place, capsys, monkeypatch):
  """Runs a wrong command there: one line, status 2 and no file is left."""
  monkeypatch.chdir(place)
  monkeypatch.setenv('HOME', str(place))

  def run(*words):
    before = content(place)
    with warnings.catch_warnings():
      warnings.simplefilter('error')  # on a terminal it would be two lines
      for hidden in (DeprecationWarning, PendingDeprecationWarning):
        warnings.simplefilter('ignore', hidden)
      warnings.filterwarnings('ignore', module=r'PIL\.')  # as data.images does
      said = verbs.refused(capsys, *words)
    assert content(place) == before
    assert said.startswith('alae')
    assert said[:-1].isprintable()
    assert len(said) < 1500
    return said

  return run
