"""The folder of an import: what a kill leaves, what is foreign, who owns it."""

import os
import signal
import subprocess
import sys

import pytest
from etils import epath

import alae_jax
from alae_jax import cli, storage
from alae_jax.errors import UserError
from alae_jax.formats import import_folder, importing
from alae_jax.formats.release_file import read_release_checkpoint
from alae_jax.runs.folder import RunFolder
from alae_jax.runs.ownership import LostFolder, Owner
from tests.support import release_checkpoints as checkpoints
from tests.support.runs import assert_identical

pytest.importorskip('torch')


class Killed(BaseException):
  """As if the process ended there."""


@pytest.fixture(scope='module')
def content(tmp_path_factory):
  """The config and the state of an import."""
  path = checkpoints.write(tmp_path_factory.mktemp('file'))
  release = read_release_checkpoint(path)
  config = importing.build_config(release.model, 'ema')
  return config, importing.build_state(config, release), 'imported x'


def kill_after(patch, stage):
  """Ends an import after a stage, and leaves what is there."""
  where, name = {
    'claim': (import_folder, 'Checkpoints'),
    'save': (storage, 'append'),
    'log': (Owner, 'check'),
    'check': (import_folder, 'write_config'),
  }[stage]
  real, calls = getattr(where, name), []

  def stop(*args, **kwargs):
    calls.append(name)
    if name == 'check' and len(calls) == 1:
      return real(*args, **kwargs)  # of the claim
    raise Killed

  patch.setattr(where, name, stop)
  # A killed process tidies nothing up, and its owner.json stays.
  patch.setattr(import_folder, 'remove_leftovers', lambda _: None)
  patch.setattr(Owner, '__exit__', lambda self, *_: self._over.set())
  patch.setattr(Owner, '_keep_telling', lambda _: None)


def hand_over(folder):
  """Makes owner.json that of a process that is no more."""
  with subprocess.Popen([sys.executable, '-c', '']) as process:
    pass
  text = folder.owner.read_text()
  folder.owner.write_text(text.replace(f' {os.getpid()},', f' {process.pid},'))


@pytest.mark.parametrize('stage', ['claim', 'save', 'log', 'check'])
def test_a_killed_import_is_repeated(tmp_path, monkeypatch, content, stage):
  folder = RunFolder(epath.Path(tmp_path / 'run'))
  with monkeypatch.context() as patch:
    kill_after(patch, stage)
    with pytest.raises(Killed):
      import_folder.write_run(folder, *content)
  assert not folder.config.exists()
  assert folder.checkpoints.exists() == (stage != 'claim')
  assert folder.log.exists() == (stage in ('log', 'check'))
  hand_over(folder)
  import_folder.write_run(folder, *content)
  assert folder.log.read_text() == 'imported x\n'
  assert not folder.owner.exists()
  assert_identical(
    alae_jax.load(str(folder.path)).params, checkpoints.draw(0)[1]
  )


def test_an_import_is_repeated_after_a_real_kill(tmp_path):
  """Dead while Orbax writes, with everything that it leaves."""
  path, workdir = checkpoints.write(tmp_path), tmp_path / 'run'
  script = (
    'import os, signal, sys\n'
    'from alae_jax import cli\n'
    'from alae_jax.runs import checkpoint\n'
    'save = checkpoint.ocp.CheckpointManager.save\n'
    'def die(*args, **kwargs):\n'
    '  save(*args, **kwargs)\n'
    '  os.kill(os.getpid(), signal.SIGKILL)\n'
    'checkpoint.ocp.CheckpointManager.save = die\n'
    'cli.main(sys.argv[1:])\n'
  )
  words = ['import', path, '--workdir', str(workdir)]
  done = subprocess.run([sys.executable, '-c', script, *words], check=False)
  assert done.returncode == -signal.SIGKILL
  assert {entry.name for entry in workdir.iterdir()} >= {
    'checkpoints',
    'owner.json',
  }
  assert cli.main(words) == 0
  assert alae_jax.load(str(workdir)).resolution == 8


def test_a_failed_import_leaves_nothing(tmp_path, monkeypatch, content):
  def fail(*_):
    raise OSError('disk full')

  monkeypatch.setattr(import_folder, 'write_config', fail)
  folder = RunFolder(epath.Path(tmp_path / 'run'))
  with pytest.raises(OSError, match='disk full'):
    import_folder.write_run(folder, *content)
  left = {path.name for path in folder.path.iterdir()}
  assert left <= {'.owner.json.lock'}


FOREIGN = {
  'a file': ('notes.txt', 'x', 'notes.txt'),
  'a hidden file': ('.notes.partial', 'x', '.notes.partial'),
  'a run': ('config.json', '{}', 'config.json'),
  'records': ('metrics.jsonl', '', 'metrics.jsonl'),
  'the log of a training': ('log.txt', 'step 1\n', 'log.txt'),
  'a log that is no text': ('log.txt', '\udcff', 'log.txt'),
  'later checkpoints': ('checkpoints/1000/x', '', 'checkpoints'),
  'a file among checkpoints': ('checkpoints/0.5', '', 'checkpoints'),
  'checkpoints that are a file': ('checkpoints', '', 'checkpoints'),
  'pictures': ('pictures/a.png', '', 'pictures'),
  'the checkpoint itself': ('model.pth', '', 'model.pth'),
}


@pytest.mark.parametrize('kind', FOREIGN)
def test_what_is_foreign_is_refused_and_stays(tmp_path, content, kind):
  name, text, said = FOREIGN[kind]
  path = tmp_path / 'run' / name
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text, errors='surrogateescape')
  (tmp_path / 'run' / '.owner.json.lock').touch()  # beside a leftover
  before = sorted(tmp_path.rglob('*'))
  with pytest.raises(UserError, match=rf'not empty \({said} is there\)'):
    import_folder.write_run(RunFolder(epath.Path(tmp_path / 'run')), *content)
  assert sorted(tmp_path.rglob('*')) == before


def test_a_link_is_not_followed(tmp_path, content):
  (tmp_path / 'elsewhere' / '0').mkdir(parents=True)
  (tmp_path / 'run').mkdir()
  os.symlink(tmp_path / 'elsewhere', tmp_path / 'run' / 'checkpoints')
  with pytest.raises(UserError, match='checkpoints is there'):
    import_folder.write_run(RunFolder(epath.Path(tmp_path / 'run')), *content)
  assert (tmp_path / 'elsewhere' / '0').exists()


def test_a_folder_of_another_process_is_left_alone(tmp_path, content):
  folder = RunFolder(epath.Path(tmp_path / 'run'))
  with Owner(folder):
    with pytest.raises(UserError, match='belongs to process'):
      import_folder.write_run(folder, *content)
    assert not folder.checkpoints.exists()


def test_an_import_that_lost_its_folder_makes_no_run(
  tmp_path, monkeypatch, content
):
  folder = RunFolder(epath.Path(tmp_path / 'run'))
  append = storage.append

  def lose(path, text):
    append(path, text)
    folder.owner.write_text('{}')

  monkeypatch.setattr(storage, 'append', lose)
  with pytest.raises(LostFolder):
    import_folder.write_run(folder, *content)
  assert not folder.config.exists()
  assert folder.checkpoints.exists()  # they may be the other's
