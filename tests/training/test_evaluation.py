"""Metrics while a run trains: when, of which state, and which is kept."""

import os
import pathlib
import signal

import pytest

import alae_jax
from alae_jax.errors import Interrupted, UserError
from alae_jax.inference import loading
from alae_jax.metrics.crew import Stopped
from alae_jax.runs import best, records
from alae_jax.runs.folder import open_folder
from alae_jax.runs.ownership import LostFolder
from alae_jax.training import criteria, loop
from tests.support import example_runs
from tests.support.measured import make_metric
from tests.support.runs import assert_identical, final_state

# Of the state after so many images; 64 is the best.
NUMBERS = {32: 3.0, 64: 1.0, 96: 2.0, 128: 4.0, 160: 5.0}


@pytest.fixture
def config(tiny_config):
  tiny_config.train.images = 160
  tiny_config.log.keep_last = 1
  tiny_config.evaluation.every_images = 32
  tiny_config.evaluation.metrics = ('number',)
  return tiny_config


@pytest.fixture
def measured(monkeypatch):
  """Which states were measured."""
  seen = []

  def number(subject):
    seen.append(subject.model.images_seen)
    return {'number': NUMBERS[subject.model.images_seen]}

  make_metric(monkeypatch, 'number', number)
  return seen


def numbers_of(workdir):
  return {
    record['images_seen']: record['number']
    for record in records.read(open_folder(str(workdir)).metrics)
    if 'number' in record
  }


def checkpoints_of(workdir):
  """By images seen; the first is kept for good, as log.keep_images has it."""
  return sorted(int(p.name) for p in (workdir / 'checkpoints').iterdir())


def test_metrics_are_computed_every_so_many_images(config, tmp_path, measured):
  config.evaluation.at_end = ('number', 'probe')
  loop.train(config, str(tmp_path))
  assert measured == [32, 64, 96, 128, 160]  # and not again at the end
  assert numbers_of(tmp_path) == NUMBERS
  written = records.read(open_folder(str(tmp_path)).metrics)
  assert written[-1]['metric'] == 'probe'
  assert {
    'metric': 'number',
    'weights': 'ema',
    'protocol': 'stylegan',
    'seed': 0,
    best.WHILE_TRAINING: True,
  }.items() <= next(r for r in written if 'number' in r).items()
  log = (tmp_path / 'log.txt').read_text()
  assert log.count('evaluating: number') == 5
  assert log.count('% of the time') == 5  # and not of none that is trained
  assert log.count('evaluated in') == 6
  loop.train(config, str(tmp_path))  # finished: nothing is missing
  assert len(measured) == 5


def test_evaluating_changes_nothing(config, tmp_path, measured):
  loop.train(config, str(tmp_path / 'with'))
  config.evaluation.every_images, config.evaluation.metrics = 0, ()
  loop.train(config, str(tmp_path / 'without'))
  assert_identical(
    final_state(tmp_path / 'with'), final_state(tmp_path / 'without')
  )


def test_the_best_checkpoint_is_kept_and_can_be_loaded(
  config, tmp_path, measured
):
  config.evaluation.keep_best = 'number'
  loop.train(config, str(tmp_path))
  assert checkpoints_of(tmp_path) == [32, 64, 160]
  assert alae_jax.load(str(tmp_path), checkpoint='best').images_seen == 64
  assert 'the best number so far' in (tmp_path / 'log.txt').read_text()
  # A later evaluation by hand, with whatever settings, changes nothing.
  records.append(
    open_folder(str(tmp_path)).metrics, {'images_seen': 160, 'number': 0.1}
  )
  assert alae_jax.load(str(tmp_path), checkpoint='best').images_seen == 64


def test_a_run_that_goes_on_keeps_what_was_best(config, tmp_path, measured):
  config.evaluation.keep_best = 'number'
  config.train.images = 96
  loop.train(config, str(tmp_path))
  assert checkpoints_of(tmp_path) == [32, 64, 96]
  config.train.images = 160
  loop.train(config, str(tmp_path))
  assert checkpoints_of(tmp_path) == [32, 64, 160]


def test_numbers_that_are_computed_otherwise_from_here_on_begin_anew(
  config, tmp_path, monkeypatch
):
  """What was best before would never be surpassed."""

  def number(subject):
    seen = subject.model.images_seen
    numbers = {'stylegan': NUMBERS, 'pytorch-fid': {64: 30.0, 96: 20.0}}
    return {'number': numbers[subject.settings.protocol][seen]}

  make_metric(monkeypatch, 'number', number)
  config.evaluation.keep_best = 'number'
  config.train.images = 64
  loop.train(config, str(tmp_path))
  assert checkpoints_of(tmp_path) == [32, 64]
  config.train.images = 96
  config.evaluation.protocol = 'pytorch-fid'
  loop.train(config, str(tmp_path))
  assert alae_jax.load(str(tmp_path), 'best').images_seen == 96
  assert (
    'the best number so far'
    in ((tmp_path / 'log.txt').read_text().splitlines()[-3])
  )


@pytest.mark.parametrize(
  ('keep_best', 'fault'),
  [('', 'keeps none: train it with'), ('number', 'has no number of')],
)
def test_a_run_without_a_best(config, tmp_path, monkeypatch, keep_best, fault):
  make_metric(monkeypatch, 'number', lambda _: {'number': float('nan')})
  config.evaluation.keep_best = keep_best
  loop.train(config, str(tmp_path))
  with pytest.raises(UserError, match=fault):
    loading.load(str(tmp_path), 'best')


def test_a_signal_while_it_evaluates_is_heeded_and_made_up_for(
  config, tmp_path, monkeypatch
):
  """The state is saved first; the number is computed by the next command."""
  signals = []

  def number(subject):
    if subject.model.images_seen == 96 and not signals:
      signals.append(os.kill(os.getpid(), signal.SIGTERM))
    if subject.crew.stops():
      raise Stopped
    return {'number': NUMBERS[subject.model.images_seen]}

  make_metric(monkeypatch, 'number', number)
  config.evaluation.keep_best = 'number'
  with pytest.raises(Interrupted) as stopped:
    loop.train(config, str(tmp_path))
  assert stopped.value.status == 143
  assert list(numbers_of(tmp_path)) == [32, 64]
  assert checkpoints_of(tmp_path) == [32, 64, 96]
  loop.train(config, str(tmp_path))
  assert numbers_of(tmp_path) == NUMBERS
  assert checkpoints_of(tmp_path) == [32, 64, 160]


def test_a_signal_during_the_last_evaluation(config, tmp_path, monkeypatch):
  def number(subject):
    os.kill(os.getpid(), signal.SIGTERM)
    assert subject.crew.stops()
    raise Stopped

  with monkeypatch.context() as patch:
    make_metric(patch, 'number', number)
    config.evaluation.every_images, config.evaluation.metrics = 0, ()
    config.evaluation.at_end = ('number',)
    config.train.images = 16
    with pytest.raises(Interrupted, match='by SIGTERM while it was eval'):
      loop.train(config, str(tmp_path))
  make_metric(monkeypatch, 'number', lambda _: {'number': 1.0})
  loop.train(config, str(tmp_path))
  assert numbers_of(tmp_path) == {16: 1.0}


@pytest.mark.parametrize('when', ['evaluating', 'training'])
def test_a_signal_at_the_last_step_leaves_the_run_unfinished(
  config, tmp_path, monkeypatch, when
):
  config.train.images = 32
  signals = []

  def disturb(*_):
    if not signals:
      signals.append(os.kill(os.getpid(), signal.SIGTERM))

  def number(subject):
    if when == 'evaluating':
      disturb()
    if subject.crew.stops():
      raise Stopped
    return {'number': 1.0}

  make_metric(monkeypatch, 'number', number)
  if when == 'training':
    advance = loop.Telemetry.advance
    monkeypatch.setattr(
      loop.Telemetry,
      'advance',
      lambda self, images_seen, side: (
        images_seen == 32 and disturb(),
        advance(self, images_seen, side),
      ),
    )
  with pytest.raises(Interrupted, match='by SIGTERM while it was evaluated'):
    loop.train(config, str(tmp_path))
  loop.train(config, str(tmp_path))
  assert numbers_of(tmp_path) == {32: 1.0}


def test_a_folder_that_was_lost_meanwhile_is_not_written_to(
  config, tmp_path, monkeypatch
):
  """A metric may take hours."""
  taken_over = '{"token": "another", "process": "other"}'

  def number(_):
    (tmp_path / 'owner.json').write_text(taken_over)
    return {'number': 1.0}

  make_metric(monkeypatch, 'number', number)
  with pytest.raises(LostFolder, match='now belongs to'):
    loop.train(config, str(tmp_path))
  assert not numbers_of(tmp_path)
  assert (tmp_path / 'owner.json').read_text() == taken_over


def test_metrics_that_a_run_of_before_has_recorded_are_not_computed_again(
  config, tmp_path, measured
):
  config.evaluation.every_images, config.evaluation.metrics = 0, ()
  loop.train(config, str(tmp_path))
  old = {'images_seen': 160, 'weights': 'ema', 'number/mean': 1.0}
  records.append(open_folder(str(tmp_path)).metrics, old)
  config.evaluation.at_end = ('number',)
  loop.train(config, str(tmp_path))
  assert measured == []


@pytest.mark.parametrize(
  ('field', 'value', 'fault'),
  [
    ('every_images', 0, r'every_images is 0: it must be above 0 with'),
    ('metrics', (), r'metrics is \(\): it must be one name or more'),
    ('metrics', ('fid',), r"evaluation.metrics: no metric 'fid'"),
    ('at_end', ('fid',), r"evaluation.at_end: no metric 'fid'"),
    ('protocol', 'tf1', r"protocol 'tf1': there is stylegan"),
    ('features', 'vgg', r"features 'vgg': there is inception"),
    ('keep_best', 'fid5k', r"keep_best is 'fid5k': .* give number"),
    ('keep_best', 'probe/1nn', 'give probe/1nn_w, probe/svm_w, probe/1nn_hid'),
    ('keep_best', 'probe/train_images', 'give probe/1nn_w, '),
  ],
)
def test_wrong_settings_are_refused_before_anything_is_made(
  config, tmp_path, measured, field, value, fault
):
  if str(value).startswith('probe'):
    config.evaluation.metrics = ('probe',)
  config.evaluation[field] = value
  with pytest.raises(UserError, match=fault):
    loop.train(config, str(tmp_path / 'run'))
  assert not pathlib.Path(tmp_path / 'run').exists()


def test_what_data_lacks_is_told_before_anything_is_made(config, tmp_path):
  config.evaluation.metrics = ('lpips_rec',)
  with pytest.raises(UserError, match='is 8x8, and it takes 16x16'):
    loop.train(config, str(tmp_path / 'run'))
  assert not pathlib.Path(tmp_path / 'run').exists()


def test_a_run_whose_encoder_takes_other_images_is_told_at_once(
  config, tmp_path
):
  """And not by the first evaluation, after hours."""
  other = example_runs.style_run(tmp_path / 'other')
  config.evaluation.metrics = ('fid50',)
  config.evaluation.features = f'probe:{other}'
  with pytest.raises(UserError, match='takes 16x16 RGB, and these images are'):
    loop.train(config, str(tmp_path / 'run'))
  assert not pathlib.Path(tmp_path / 'run').exists()


def test_metrics_by_other_features_are_computed_beside_those_that_are_there(
  config, tmp_path
):
  config.evaluation.every_images, config.evaluation.metrics = 0, ()
  config.evaluation.at_end = ('fid50', 'rec20')
  config.train.images = 16
  other = example_runs.mlp_run(tmp_path / 'other')
  for features in ('pixels', f'probe:{other}'):
    config.evaluation.features = features
    loop.train(config, str(tmp_path / 'run'))
  written = records.read(open_folder(str(tmp_path / 'run')).metrics)
  assert [record.get('metric') for record in written if 'metric' in record] == [
    'fid50', 'rec20', 'fid50',
  ]  # fmt: skip
  assert 'fd_probe' in written[-1]


def test_keep_best_takes_any_number_of_the_metrics(config):
  config.evaluation.features = 'random'
  config.evaluation.metrics = ('fid5k', 'rec', 'probe')
  for number in ('fd_random_inception', 'rec/psnr', 'probe/1nn_w'):
    config.evaluation.keep_best = number
    criteria.check_names(config)


def test_real_metrics_in_a_real_run(config, tmp_path):
  """Nothing is made up here, on eight devices."""
  config.evaluation.metrics = ('fid64', 'rec')
  config.evaluation.features = 'pixels'
  config.evaluation.keep_best = 'fd_pixels'
  config.train.images = 64
  loop.train(config, str(tmp_path))
  written = [
    record
    for record in records.read(open_folder(str(tmp_path)).metrics)
    if record.get('metric') == 'fid64'
  ]
  assert [record['images_seen'] for record in written] == [32, 64]
  assert written[0]['real_images'] == 1500
  best_one = min(written, key=lambda record: record['fd_pixels'])
  loaded = loading.load(str(tmp_path), 'best')
  assert loaded.images_seen == best_one['images_seen']
