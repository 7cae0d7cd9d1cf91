"""A run whose newest checkpoint is damaged goes on from the one before."""

import pathlib
import shutil

import pytest

from alae_jax import config as config_lib
from alae_jax.errors import UserError
from alae_jax.runs import checksums, records
from alae_jax.runs.folder import open_folder
from alae_jax.training import loop
from tests.support.checkpoints import DAMAGES, garble, make_empty
from tests.support.runs import assert_identical, final_state, make_tiny_config


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('trained') / 'run'
  loop.train(make_tiny_config(), str(workdir))
  return workdir


@pytest.fixture
def run(trained, tmp_path):
  """A finished run with checkpoints after 32, 64 and 96 images."""
  return shutil.copytree(trained, tmp_path / 'run')


def names(folder: pathlib.Path) -> set[str]:
  return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize('checked', [True, False])
@pytest.mark.parametrize('damage', DAMAGES)
def test_the_run_goes_on_from_the_newest_whole_one(
  run, trained, tiny_config, capfd, damage, checked
):
  if not checked:
    for path in run.glob(f'checkpoints/*/{checksums.NAME}'):
      path.unlink()
  damage(run / 'checkpoints' / '96')
  loop.train(tiny_config, str(run))
  said, complained = capfd.readouterr()
  for text in (said, (run / 'log.txt').read_text()):
    assert f'checkpoint 96 is damaged: {run}/checkpoints/96: ' in text
    assert 'it is 96.damaged now' in text
    assert 'continuing after 64 of 96' in text
  assert 'Traceback' not in complained and 'WARNING' not in complained
  assert names(run / 'checkpoints') == {'32', '64', '96', '96.damaged'}
  assert_identical(final_state(run), final_state(trained))
  images = [
    line['images_seen'] for line in records.read(open_folder(run).metrics)
  ]
  assert images == [32, 64, 96]


def test_a_stray_folder_is_put_aside(run, trained, tiny_config, capsys):
  (run / 'checkpoints' / '999').mkdir()
  (run / 'checkpoints' / 'abc').mkdir()
  loop.train(tiny_config, str(run))
  assert '999: it is empty; it is 999.damaged now' in capsys.readouterr().out
  assert names(run / 'checkpoints') == {'32', '64', '96', 'abc', '999.damaged'}
  assert_identical(final_state(run), final_state(trained))


def test_nothing_is_changed_where_none_is_whole(run, tiny_config):
  for number in ('32', '64', '96'):
    garble('default/manifest.ocdbt')(run / 'checkpoints' / number)
  tiny_config.train.images = 160
  before = {path: path.stat().st_mtime_ns for path in run.rglob('*')}
  with pytest.raises(UserError) as told:
    loop.train(tiny_config, str(run))
  assert str(told.value) == (
    f'checkpoint 96 is damaged: {run}/checkpoints/96: default/manifest.ocdbt '
    f'is not as it was saved; no other in {run}/checkpoints is whole: put one '
    'there from a copy, or name another run folder'
  )
  after = {path: path.stat().st_mtime_ns for path in run.rglob('*')}
  assert before == after


def test_a_change_holds_from_the_newest_whole_one_on(run, tiny_config):
  make_empty(run / 'checkpoints' / '96')
  tiny_config.train.images = 160
  tiny_config.train.learning_rate = 0.001
  loop.train(tiny_config, str(run), change=True)
  changes = config_lib.load(open_folder(run).config).history.changes
  assert {change['images_seen'] for change in changes} == {64}
  assert int(final_state(run).images_seen) == 160
