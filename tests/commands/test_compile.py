"""`alae compile`: what a level costs, and what can't be compiled."""

import dataclasses
import importlib.util
import json

import jax
import pytest
from etils import epath

from alae_jax import cli
from alae_jax import config as config_lib
from alae_jax.training import costs, forecast
from alae_jax.training.compile import TooLarge
from tests.support.verbs import alae, refused

TINY = (
  '--config=mnist_style',
  '--config.model.base_channels=4',
  '--config.model.max_channels=4',
  '--config.model.z_dim=4',
  '--config.model.w_dim=4',
  '--config.model.mapping_layers=1',
)


def test_a_line_a_level(capsys):
  alae('compile', *TINY, '--levels', '0,1', '--operations', '3')
  title, head, *lines = capsys.readouterr().out.splitlines()
  assert title.startswith('8 x cpu, whose peaks are not known here')
  assert head.split()[:2] == ['level', 'batch']
  assert [line.split()[0] for line in lines if '4x4' in line] == ['4x4']
  assert [line.split()[0] for line in lines if '8x8' in line] == ['8x8']
  assert len(lines) == 2 * (1 + 3)
  assert ' GB ' in lines[1]


def test_every_number_is_told_and_kept(capsys, tmp_path):
  path = epath.Path(tmp_path / 'costs.tsv')
  alae('compile', *TINY, '--levels=0', '--format=json', f'--record={path}')
  found = json.loads(capsys.readouterr().out)
  assert (found['device'], found['devices']) == ('cpu', 8)
  (level,) = found['levels']
  assert (level['level'], level['side']) == (0, 4)
  assert level['cost']['flops'] > 0
  assert level['cost']['arguments'] > 0
  assert level['estimate'] is None
  (row,) = costs.read(path)
  assert dataclasses.asdict(row.cost) == level['cost']
  assert row.config.model.w_dim == 4


def test_what_does_not_fit_is_said(capsys, monkeypatch):
  def refuse(_):
    raise TooLarge(17.2 * 2**30, 15.75 * 2**30)

  monkeypatch.setattr(forecast, 'compile_lowered', refuse)
  alae('compile', *TINY, '--levels', '0')
  line, advice = capsys.readouterr().out.splitlines()[-2:]
  assert line.endswith('  takes 17.20 of 15.75 GiB, 1.45 too many')
  assert advice.split('try ')[1] == (
    '--config.train.microbatches=2, or --fit, which finds what it takes'
  )


def test_what_makes_it_fit_is_found(capsys):
  """A fifth of a mebibyte for what takes a third."""
  batch = '--config.growth.batch_sizes=(64,)'
  words = ['compile', *TINY, batch, '--levels', '1', '--fit']
  alae(*words, '--memory', '0.0002', '--format', 'json')
  found = json.loads(capsys.readouterr().out)
  assert found['fits_with']['train.microbatches'] > 1
  (level,) = found['levels']
  cost = level['cost']
  assert cost['arguments'] + cost['temporary'] <= 0.0002 * 2**30


@pytest.mark.parametrize(
  ('words', 'said'),
  [
    (['--levels', '9'], '--levels 9: the config trains [0, 1, 2, 3]'),
    (['--levels', 'two'], '--levels two: give indices of resolutions'),
    (['--operations', '-1'], '--operations -1: give 0 or more'),
    (['--memory', '0'], '--memory 0.0: give GiB above 0'),
    (['--fit'], '--fit: what memory a cpu has is not known: give --memory GIB'),
    (['--fit', '--operations', '1'], '--fit lists no operations'),
    (['--fit', '--record', 'x'], '--record keeps what is asked for'),
    (['--config.growth.batch_sizes=(7,)'], 'must be divisible by the 8'),
  ],
)
def test_wrong_use_is_refused(capsys, words, said):
  assert said in refused(capsys, 'compile', '--config=mnist_style', *words)


def test_only_a_recipe_is_recorded(capsys, tmp_path):
  config = config_lib.default().to_json_best_effort()
  (tmp_path / 'config.json').write_text(config)
  words = [f'--config={tmp_path / "config.json"}', '--record=x']
  assert 'config.json is no name of one' in refused(capsys, 'compile', *words)


@pytest.mark.skipif(
  importlib.util.find_spec('libtpu') is not None, reason='libtpu is here'
)
def test_a_slice_needs_libtpu(capsys):
  words = ['compile', '--config=digits', '--topology', 'v5e:2x4']
  said = refused(capsys, *words)
  assert "--topology v5e:2x4 needs libtpu: pip install 'alae_jax[tpu]'" in said
  assert jax.config.jax_platforms


@pytest.mark.skipif(
  importlib.util.find_spec('libtpu') is None, reason='libtpu is not here'
)
def test_a_slice_that_is_not_here(capsys):
  assert cli.main(['compile', '--config=digits', '--topology', 'v5e:2x4']) == 0
  said = capsys.readouterr().out
  assert said.startswith('8 x TPU v5 lite, 197 TFLOP/s, 819 GB/s, 16 GiB each')
  assert 'images/s  traffic' in said
  # D of the first levels' batches once broke the compiler.
  words = [word.replace('w_dim=4', 'w_dim=32') for word in TINY]
  alae('compile', *words, '--topology', 'v5e:2x4', '--levels', '0', '--fit')
  said = capsys.readouterr().out
  assert '4x4       128' in said
  assert said.endswith('all fit as they are\n')
  for wrong in ('v9:2x4', 'v5e:3x3', 'v5e'):
    words = ['compile', '--config=digits', '--topology', wrong]
    assert f'--topology {wrong}: ' in refused(capsys, *words)
