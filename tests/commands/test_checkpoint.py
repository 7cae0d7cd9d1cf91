"""--checkpoint of the reading verbs, and what load() takes."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import alae_jax
from alae_jax.errors import UserError
from alae_jax.inference import loading
from alae_jax.runs.checkpoint import Checkpoints
from alae_jax.runs.folder import open_folder
from tests.support import example_runs, verbs
from tests.support.checkpoints import DAMAGES
from tests.support.runs import assert_identical, make_tiny_config


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  """A run with three checkpoints, which differ."""
  config = make_tiny_config()
  workdir = example_runs.mlp_run(tmp_path_factory.mktemp('several') / 'run')
  checkpoints = Checkpoints(open_folder(workdir).checkpoints, keep_last=3)
  state = example_runs.make_state(config)
  for images_seen in (32, 48):
    checkpoints.save(
      state.replace(mean_w=state.mean_w + images_seen), images_seen
    )
  checkpoints.close()
  return workdir


@pytest.fixture
def run(made, tmp_path):
  return shutil.copytree(made, tmp_path / 'run')


def test_the_newest_unless_told_otherwise(made, tmp_path):
  for words, images_seen in [((), 48), (('--checkpoint', 16), 16)]:
    out = tmp_path / str(images_seen)
    verbs.alae('generate', made, '--seeds', '0', '--out', out, *words)
    record = verbs.record(out, 'generate')
    assert record['images_seen'] == images_seen
    assert 'checkpoint' not in record['arguments']


READING = {
  'evaluate': ('--metrics', 'probe'),
  'generate': ('--seeds', '0', '--out', 'OUT'),
  'reconstruct': ('IMAGE', '--out', 'OUT'),
  'interpolate': ('0', '1', '--out', 'OUT'),
  'mix': ('--sources', '0', '--destinations', '1', '--out', 'OUT'),
  'traverse': ('0', '--direction', 'DIRECTION', '--out', 'OUT'),
  'directions': ('--method', 'pca', '--out', 'OUT'),
  'export': ('--format', 'release', '--out', 'OUT'),
}


def command(verb, run, tmp_path):
  """A verb's words, and the files that they name."""
  paths = {
    'OUT': tmp_path / 'out',
    'IMAGE': tmp_path / 'image.png',
    'DIRECTION': tmp_path / 'direction.npy',
  }
  np.save(paths['DIRECTION'], np.ones(6, np.float32))
  Image.new('L', (8, 8)).save(paths['IMAGE'])
  return [verb, run, *(paths.get(word, word) for word in READING[verb])]


@pytest.mark.parametrize('verb', READING)
def test_every_reading_verb_tells_which_there_are(verb, made, tmp_path, capsys):
  words = command(verb, made, tmp_path)
  said = verbs.refused(capsys, *words, '--checkpoint', 17)
  assert said == (
    f'alae: --checkpoint 17: {made} has those after 16, 32 and 48 images seen\n'
  )


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_one_is_told_with_the_others(run, tmp_path, capsys, damage):
  damage(run / 'checkpoints' / '48')
  words = ['generate', run, '--seeds', '0', '--out', tmp_path / 'out']
  said = verbs.refused(capsys, *words)
  assert said.startswith(
    f'alae: --checkpoint 48 is damaged: {run}/checkpoints/48: '
  )
  assert said.endswith('; the others there: 16 and 32\n')
  assert (run / 'checkpoints' / '48').exists()
  verbs.alae(*words, '--checkpoint', 32)


@pytest.mark.parametrize('text', ['best', '-1', '2.5', '', '1e3', '9' * 30])
def test_what_is_no_number_is_refused(text, made, tmp_path, capsys):
  out = tmp_path / 'out'
  words = ['generate', made, '--seeds', '0', '--out', out]
  assert '--checkpoint' in verbs.refused(capsys, *words, f'--checkpoint={text}')
  assert not out.exists()


def test_load_takes_a_checkpoint_and_weights(made):
  oldest = alae_jax.load(made, checkpoint=16, weights='live')
  newest = alae_jax.load(made)
  np.testing.assert_allclose(newest.mean_w - oldest.mean_w, 48)
  assert_identical(alae_jax.load(made, 48).mean_w, newest.mean_w)
  assert loading.load_run(made, 32, 'live').weights == 'live'


@pytest.mark.parametrize(
  'checkpoint', ['newest', 'ema', True, 2.5, -1, 17, [16]]
)
def test_load_tells_which_checkpoints_there_are(made, checkpoint):
  with pytest.raises(UserError) as told:
    alae_jax.load(made, checkpoint)
  assert str(told.value) == (
    f'checkpoint {checkpoint!r}: {made} has those after 16, 32 and 48 images '
    'seen'
  )


@pytest.mark.parametrize('weights', ['best', '', 0, True, ['ema']])
def test_load_tells_which_weights_there_are(made, weights):
  with pytest.raises(UserError, match="give 'ema' or 'live'"):
    alae_jax.load(made, weights=weights)


def test_nothing_is_said_on_opening_a_checkpoint(made):
  program = f'import alae_jax; alae_jax.load({made!r})'
  done = subprocess.run(
    [sys.executable, '-c', program], capture_output=True, text=True, check=True
  )
  assert (done.stdout, done.stderr) == ('', '')
