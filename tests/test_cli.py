"""The commands as a user types them."""

import errno
import json
import os
import pathlib
import random
import shutil
import signal
import time
import types

import pytest

import alae_jax
from alae_jax import cli, errors
from alae_jax.inference import embedding
from alae_jax.runs import records
from alae_jax.runs.folder import open_folder, stored_config
from alae_jax.training import loop
from tests.support.jobs import (
  DIGITS,
  main_job,
  newest_checkpoint,
  times_compiled,
  wait_for,
)
from tests.support.measured import make_metric
from tests.support.runs import assert_identical, final_state, make_tiny_config


def alae(*arguments):
  return cli.main([str(argument) for argument in arguments])


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A digits run of a few steps."""
  workdir = tmp_path_factory.mktemp('trained')
  loop.train(make_tiny_config(), str(workdir))
  return workdir


@pytest.mark.parametrize('verb', ['', *cli.VERBS])
def test_help_has_an_example(verb, capsys):
  with pytest.raises(SystemExit) as exit_:
    alae(*verb.split(), '--help')
  assert exit_.value.code == 0
  if verb:
    assert f'example: alae {verb}' in ' '.join(capsys.readouterr().out.split())


def test_evaluate_prints_and_records(trained, capsys):
  assert alae('evaluate', trained, '--metrics', 'probe') == 0
  out = capsys.readouterr().out
  assert '96 images, ema' in out
  assert 'probe/svm_hidden' in out
  record = json.loads((trained / 'metrics.jsonl').read_text().splitlines()[-1])
  assert (record['images_seen'], record['step']) == (96, 6)
  assert record['probe/train_images'] == 1500
  assert record['weights'] == 'ema'


@pytest.fixture
def no_metric(monkeypatch):
  """In place of the probe a number that costs nothing."""
  make_metric(monkeypatch, 'probe', lambda _: {'number': 1})


def test_an_evaluation_tells_how_long_its_checkpoint_was_trained(
  trained, tmp_path, no_metric
):
  workdir = tmp_path / 'run'
  shutil.copytree(trained, workdir)
  # A run that goes on has records of its own before its next checkpoint.
  earlier = [
    {'images_seen': seen, 'seconds': seconds}
    for seen, seconds in ((64, 1.5), (96, 2.5), (112, 9.0))
  ]
  path = workdir / 'metrics.jsonl'
  for before, seconds in ((earlier, 2.5), (earlier[2:], 0.0), ([], 0.0)):
    path.write_text(''.join(json.dumps(record) + '\n' for record in before))
    assert alae('evaluate', workdir, '--metrics', 'probe') == 0
    record = records.read(path)[-1]
    assert record == {
      'images_seen': 96,
      'step': 6,
      'seconds': seconds,
      'metric': 'probe',
      'protocol': 'stylegan',
      'resolution': 8,
      'seed': 0,
      'images': 0,
      'weights': 'ema',
      'number': 1,
    }


def test_a_notebook_runs_commands_in_its_own_process(
  trained, capsys, no_metric
):
  magics = {}
  alae_jax.load_ipython_extension(
    types.SimpleNamespace(
      register_magic_function=lambda function, magic_name: magics.update(
        {magic_name: function}
      )
    )
  )
  magics['alae']('--version')
  magics['alae'](f"evaluate '{trained}' --metrics probe")
  assert f'{alae_jax.__version__}\n' in capsys.readouterr().out
  for line, said in (
    ('evaluate nowhere --metrics probe', 'nowhere'),
    ('x', ''),
  ):
    with pytest.raises(errors.Failure, match=f'alae {line}: exit status 2'):
      magics['alae'](line)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize('metrics', ['', ',', ' , '])
def test_an_evaluation_of_nothing_records_nothing(trained, capsys, metrics):
  before = (trained / 'metrics.jsonl').read_text()
  assert alae('evaluate', trained, '--metrics', metrics) == 2
  said = capsys.readouterr().err
  assert said.startswith(
    f'alae: --metrics {metrics!r} names no metric: there is fid50k, '
  )
  assert said.count('\n') == 1
  assert (trained / 'metrics.jsonl').read_text() == before


def test_a_dataset_is_read_where_it_is_now(
  trained, tmp_path, monkeypatch, no_metric
):
  opened = []

  def open_dataset(name, data_dir, split, resolution):
    opened.append((data_dir, split))
    return real(name, data_dir, split, resolution)

  real = embedding.open_dataset
  monkeypatch.setattr(embedding, 'open_dataset', open_dataset)
  stored = stored_config(open_folder(str(trained))).data.data_dir
  evaluate = 'evaluate', trained, '--metrics', 'probe'
  assert alae(*evaluate) == 0
  assert alae(*evaluate, '--data_dir', 'now') == 0
  assert opened == [
    (stored, 'train'),
    (stored, 'test'),
    ('now', 'train'),
    ('now', 'test'),
  ]
  assert (
    alae(
      'directions',
      trained,
      '--method',
      'labels',
      '--samples',
      50,
      '--data_dir',
      'now',
      '--out',
      tmp_path,
    )
    == 0
  )
  assert opened[4:] == [('now', 'train')]


@pytest.mark.parametrize(
  ('arguments', 'said'),
  [
    (['evaluate', '{run}', '--metrics', 'fidd'], "no metric 'fidd'"),
    (['evaluate', 'nowhere', '--metrics', 'probe'], 'nowhere'),
    (['train', DIGITS], '--workdir is missing'),
    (['train', DIGITS, '--workdir=x', '--config.train.imges=1'], 'images'),
    (
      ['train', DIGITS, '--workdir=x', '--config.train.batch_size=12'],
      'divisible by the 8 devices',
    ),
    (
      [
        'train',
        DIGITS,
        '--workdir={run}/config.json',
        '--config.train.batch_size=8',
      ],
      'is a file',
    ),
    (
      [
        'train',
        DIGITS,
        '--workdir={run}/config.json/run',
        '--config.train.batch_size=8',
      ],
      'config.json/run: Not a directory',
    ),
    (
      ['generate', '{run}', '--seeds=1', '--out={run}/config.json/x'],
      'config.json is no folder',
    ),
  ],
)
def test_mistakes_are_told_in_one_line(trained, capsys, arguments, said):
  status = alae(*(word.format(run=trained) for word in arguments))
  captured = capsys.readouterr()
  assert status == 2
  assert said in captured.err
  assert captured.err.count('\n') == 1
  assert not pathlib.Path('x').exists()


@pytest.mark.parametrize(
  ('error', 'said', 'status'),
  [
    (
      PermissionError(errno.EACCES, 'Permission denied', '/its/log.txt'),
      '/its/log.txt: Permission denied',
      2,
    ),
    # Python does not know the file where a write fails.
    (
      OSError(errno.ENOSPC, 'No space left on device'),
      'No space left on device',
      1,
    ),
    (OSError('two\nlines'), 'two lines', 2),
    (OSError(), 'OSError', 2),
  ],
)
def test_what_the_system_refuses_is_told_in_one_line(
  capsys, error, said, status
):
  def command():
    raise error

  assert errors.exit_status(command) == status
  assert capsys.readouterr().err == f'alae: {said}\n'


def test_an_unknown_verb_is_refused(capsys):
  with pytest.raises(SystemExit) as exit_:
    alae('evalute')
  assert exit_.value.code == 2
  assert 'evaluate' in capsys.readouterr().err


def test_dry_run_tells_and_trains_nothing(capsys, tmp_path):
  assert (
    alae(
      'train',
      DIGITS,
      '--dry-run',
      f'--workdir={tmp_path}/run',
      '--config.train.batch_size=104',
    )
    == 0
  )
  out = capsys.readouterr().out
  for word in (
    'train.batch_size = 104',
    'parameters: ',
    'MiB',
    '8 x cpu',
    'steps of 104 images',
  ):
    assert word in out
  assert not (tmp_path / 'run').exists()


@pytest.mark.slow
def test_the_shipped_config_learns_digits(tmp_path):
  """The README's first command, shortened to a sixth."""
  job = main_job(tmp_path, '--config.train.images=150000')
  out, _ = job.communicate(timeout=600)
  assert job.returncode == 0, out
  records = [
    json.loads(line)
    for line in (tmp_path / 'metrics.jsonl').read_text().splitlines()
  ]
  assert records[-1]['probe/1nn_w'] > 0.75
  assert records[-1]['probe/1nn_hidden'] > 0.9
  losses = [r['loss_latent'] for r in records if 'loss_latent' in r]
  assert losses[-1] < 0.3 * losses[0]
  assert 'finished' in out


@pytest.mark.slow
def test_random_kills_change_nothing(tmp_path):
  """SIGKILL at random moments: the end is bit-identical.

  A life ends up to a second after its step was compiled or after it has saved
  once or twice: counted in checkpoints, so that a slow machine's lives come
  as far as a fast one's.
  """
  kills = int(os.environ.get('ALAE_KILLS', '4'))
  # Whole steps, and too many to be taken between the kills.
  images = 45_120 * (kills + 1)
  overrides = [
    f'--config.train.images={images}',
    '--config.evaluation.at_end=()',
    '--config.log.checkpoint_images=5000',
  ]
  undisturbed, killed = tmp_path / 'undisturbed', tmp_path / 'killed'
  main_job(undisturbed, *overrides).communicate(timeout=1200)
  moments = random.Random(kills)
  killed_at = []
  for life in range(kills):
    compiled, saved = times_compiled(killed), newest_checkpoint(killed)
    job = main_job(killed, *overrides)
    wait_for(job, times_compiled, killed, compiled + 1)
    wait_for(job, newest_checkpoint, killed, saved + 5000 * (life % 3))
    time.sleep(moments.uniform(0, 1))
    if job.poll() is None:
      job.send_signal(signal.SIGKILL)
      job.communicate()
      killed_at.append(newest_checkpoint(killed))
  print('killed after checkpoints', killed_at)
  assert len(killed_at) == kills
  assert killed_at[-1] > 0
  job = main_job(killed, *overrides)
  out, _ = job.communicate(timeout=600)
  assert job.returncode == 0, out
  assert newest_checkpoint(killed) == newest_checkpoint(undisturbed) == images
  assert_identical(final_state(undisturbed), final_state(killed))
