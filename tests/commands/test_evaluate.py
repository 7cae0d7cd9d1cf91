"""`alae evaluate`: tables, records, and what is refused."""

import json
import os
import pathlib
import re

import pytest

from alae_jax import cli
from alae_jax.metrics import published
from alae_jax.runs import records
from alae_jax.runs.folder import open_folder
from tests.support import example_runs
from tests.support.measured import make_metric
from tests.support.runs import make_tiny_config
from tests.support.verbs import alae, pixels, refused

PIXELS = '--features', 'pixels'


@pytest.fixture
def run(tmp_path):
  return example_runs.mlp_run(tmp_path / 'run')


@pytest.fixture
def other(tmp_path):
  return example_runs.write_run(
    tmp_path / 'other', make_tiny_config(), images_seen=32, scale=0.5
  )


def recorded(run):
  return records.read(open_folder(run).metrics)


def test_numbers_that_cannot_be_recorded_are_told(tmp_path, capsys, run):
  metrics = pathlib.Path(run) / 'metrics.jsonl'
  os.symlink(tmp_path / 'not_there' / 'metrics.jsonl', metrics)
  alae('evaluate', run, '--metrics', 'probe')
  printed = capsys.readouterr()
  assert 'probe/' in printed.out
  assert printed.err.count('\n') == 1
  assert f'not recorded: {metrics}: No such file' in printed.err


def test_several_runs_stand_beside_one_another(run, other, capsys):
  words = 'evaluate', run, other, '--metrics', 'fid50,rec20', *PIXELS
  alae(*words)
  lines = capsys.readouterr().out.splitlines()
  assert lines[0].split() == [run, other]
  assert re.findall(r'\d+ images, ema', lines[1]) == [
    '16 images, ema',
    '32 images, ema',
  ]
  numbers = {line.split()[0]: line.split()[1:] for line in lines[2:7]}
  assert list(numbers) == [
    'fd_pixels', 'rec20/mse', 'rec20/psnr', 'rec20/ssim',
    'rec20/latent_distance',
  ]  # fmt: skip
  for name, shown in numbers.items():
    for of, value in zip((run, other), shown, strict=True):
      (exact,) = (r[name] for r in recorded(of) if name in r)
      assert float(value) == pytest.approx(exact, abs=1e-4)
  assert lines[7] == (
    'fid50: protocol stylegan, 50 images, 1,500 real images, split train, '
    'features pixels (at most 16x16), truncation 1, seed 0'
  )
  assert lines[8] == 'rec20: protocol stylegan, 20 images, split test, seed 0'


def test_a_record_says_all_that_a_number_depends_on(run):
  alae('evaluate', run, '--metrics', 'fid50', *PIXELS, '--seed', '3',
       '--truncation', '0.5', '--protocol', 'alae-release', '--weights',
       'live')  # fmt: skip
  (record,) = recorded(run)
  value = record.pop('fd_pixels')
  assert value > 0
  assert record == {
    'images_seen': 16,
    'step': 1,
    'seconds': 0.0,
    'metric': 'fid50',
    'weights': 'live',
    'resolution': 8,
    'protocol': 'alae-release',
    'seed': 3,
    'images': 50,
    'real_images': 50,
    'features': 'pixels',
    'features_identity': 'at most 16x16',
    'truncation': 0.5,
    'split': 'train',
  }


def test_json_and_markdown(run, other, capsys):
  words = 'evaluate', run, other, '--metrics', 'rec20'
  alae(*words, '--format', 'json')
  found = json.loads(capsys.readouterr().out)
  assert [one['workdir'] for one in found['runs']] == [run, other]
  (record,) = found['runs'][0]['records']
  assert record['rec20/mse'] > 0 and record['split'] == 'test'
  alae(*words, '--format', 'markdown')
  lines = capsys.readouterr().out.splitlines()
  assert lines[0] == (
    f'|  | {run}<br>16 images, ema | {other}<br>32 images, ema |'
  )
  assert lines[1] == '| --- | --- | --- |'
  assert lines[2].startswith('| rec20/mse | 0.')
  assert lines[-1].startswith('- rec20: protocol stylegan')


def test_published_numbers_of_the_dataset_beside_ours(run, capsys, monkeypatch):
  like = published.Published(
    'digits', 8, 'fid', 'StyleGAN', 4.4, 'Someone 2020', 'of 50,000 images'
  )
  monkeypatch.setattr(published, 'NUMBERS', (*published.NUMBERS, like))
  make_metric(monkeypatch, 'fid50', lambda _: {'fid50': 3.0})
  alae('evaluate', run, '--metrics', 'fid50,rec20', '--published')
  lines = capsys.readouterr().out.splitlines()
  assert lines[0].split() == [run, 'published']
  assert re.fullmatch(r'fid50 +3.0000 +StyleGAN 4.4', lines[2])
  assert lines[-1] == (
    'published: fid 4.4 of StyleGAN, 8x8: Someone 2020; of 50,000 images'
  )


def test_no_published_number_stands_beside_what_is_not_its_like(run, capsys):
  words = 'evaluate', run, '--metrics', 'fid50,rec20', *PIXELS, '--published'
  alae(*words)
  printed = capsys.readouterr()
  assert 'published:' not in printed.out
  assert 'no numbers of these metrics are published' in printed.err


def test_the_papers_numbers():
  for metric, dataset, side, values in (
    ('fid50k', 'ffhq', 1024, {'StyleALAE': 13.09, 'StyleGAN': 4.4}),
    ('ppl_w_end_crop', 'ffhq', 1024, {'StyleALAE': 103.4, 'StyleGAN': 182.1}),
    ('fid5k_rec', 'bedroom', 256, {'StyleALAE': 15.92}),
    ('fid50k', 'celebahq', 256,
     {'StyleALAE': 19.21, 'Style-SoftIntroVAE': 18.63}),
    ('ppl_w_full', 'celebahq', 256, {'StyleALAE': 33.29}),
    ('kid50k', 'ffhq', 1024, {}),
  ):  # fmt: skip
    found = published.beside(dataset, side, [metric])
    assert {number.model: number.value for number in found} == values


def test_a_number_that_is_not_finite_is_told_and_recorded_as_null(
  run, capsys, monkeypatch
):
  make_metric(monkeypatch, 'odd', lambda _: {'odd': float('inf')})
  alae('evaluate', run, '--metrics', 'odd')
  assert 'not finite' in capsys.readouterr().out
  (record,) = recorded(run)
  assert record['odd'] is None


def test_the_ranked_reconstructions_are_drawn(run):
  alae('evaluate', run, '--metrics', 'rec20')
  path = pathlib.Path(run) / 'pictures' / 'rec20_ranked_000000016.png'
  height, width = pixels(path).shape[:2]
  assert height > 3 * 64 and width > 8 * 64


def test_what_is_there_is_told_when_a_later_run_fails(run, other, capsys):
  config = pathlib.Path(other) / 'config.json'
  text = config.read_text().replace('"digits"', '"nowhere"')
  config.write_text(text)
  said = refused(capsys, 'evaluate', run, other, '--metrics', 'rec20')
  assert "no dataset 'nowhere'" in said
  assert len(recorded(run)) == 1


def test_what_is_there_is_told_when_a_later_metric_is_stopped(
  run, capsys, monkeypatch
):
  def stop(_):
    raise KeyboardInterrupt

  make_metric(monkeypatch, 'late', stop)
  assert cli.main(['evaluate', run, '--metrics', 'rec20,late']) == 130
  printed = capsys.readouterr()
  assert re.search(r'rec20/psnr +\d', printed.out)
  assert printed.err.endswith('alae: stopped by Ctrl-C\n')
  assert cli.main(['evaluate', run, '--metrics', 'late,rec20']) == 130
  assert not capsys.readouterr().out


@pytest.mark.parametrize(
  ('words', 'fault'),
  [
    (['--metrics', 'fid50', '--features', 'vgg'], "features 'vgg': there is"),
    (['--metrics', 'rec', '--protocol', 'tf'], "protocol 'tf': there is"),
    (['--metrics', 'fid3,fid5', *PIXELS], 'both give fd_pixels'),
    (['--metrics', 'lpips_rec'], 'is 8x8, and it takes 16x16'),
    (['--metrics', 'ppl_w_end', *PIXELS], 'it is of LPIPS'),
    (['--metrics', 'fid50', '--features', 'probe:nowhere'], 'nowhere'),
    (['--metrics', 'rec', '--checkpoint', 'best'], 'keeps none'),
    (['--metrics', 'rec', '--checkpoint', '17'], 'has those after 16'),
  ],
)
def test_what_is_refused_in_one_line(run, words, fault, capsys):
  assert fault in refused(capsys, 'evaluate', run, *words)
  assert recorded(run) == []
