"""`alae plot`, from run folders to pictures that others open."""

import os
import re
import shutil
import sys
import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from alae_jax.training import loop
from tests.support.curves import (
  evaluation,
  growing,
  training,
  write_records,
)
from tests.support.runs import make_tiny_config
from tests.support.verbs import alae, pixels, refused

BLUE, ORANGE = '#1f77b4', '#ff7f0e'


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """Two that grow, not alike, and one that does not."""
  root = tmp_path_factory.mktemp('runs')
  metrics = [
    evaluation(seen, weights, metric='fid5k', fid5k=seen / 100, seed=0)
    for seen in (1000, 2000)
    for weights in ('ema', 'live')
  ]
  write_records(root / 'faces', [*growing([0, 1000], [4, 8]), *metrics])
  write_records(root / 'slow', growing([0, 1500], [4, 8]))
  write_records(root / 'flat', [training(seen) for seen in (500, 2000)])
  return root


def svg(path):
  """All texts of a picture, and all of its colours."""
  source = path.read_text()
  ET.fromstring(source)
  texts = re.findall(r'<text[^>]*>([^<]*)</text>', source)
  return texts, set(re.findall(r'stroke: (#\w{6})', source))


def drawn(path, *words):
  alae('plot', *words, '--out', path)
  return svg(path)


def test_a_real_run_is_drawn(tmp_path, capsys):
  config = make_tiny_config()
  loop.train(config, str(tmp_path / 'digits'))
  alae('evaluate', tmp_path / 'digits', '--metrics', 'probe')
  capsys.readouterr()
  out = tmp_path / 'new' / 'curves.png'
  alae('plot', tmp_path / 'digits', '--out', out)
  assert capsys.readouterr().out == f'wrote {out}\n'
  with Image.open(out) as picture:
    assert picture.format == 'PNG'
    width, height = picture.size
  assert width == 1200
  # loss, logit, r1_penalty, data_wait, images_per_second and probe.
  assert 6 * 192 < height < 7 * 192
  assert pixels(out)[..., :3].std() > 10
  texts, _ = drawn(tmp_path / 'curves.svg', tmp_path / 'digits')
  assert {
    'digits', 'images seen', 'loss', 'discriminator', 'latent', 'r1_penalty',
    'logit', 'images_per_second', 'data_wait', 'probe', '1nn_w', 'svm_hidden',
  } <= set(texts)  # fmt: skip
  assert not {'blend', 'step', 'seconds', 'train_images'} & set(texts)


def test_one_run_shows_its_levels_and_tells_settings_apart(runs, tmp_path):
  texts, colours = drawn(tmp_path / 'a.svg', runs / 'faces')
  assert {'faces', '4x4', '8x8', 'fid5k', 'ema weights', 'live weights'} <= (
    set(texts)
  )
  assert {BLUE, ORANGE} <= colours  # of numbers in a panel
  texts, _ = drawn(tmp_path / 'b.svg', runs / 'flat')
  assert '8x8' not in texts


def test_runs_that_grow_alike_have_their_levels_marked_once(runs, tmp_path):
  shutil.copytree(runs / 'faces', tmp_path / 'again')
  words = runs / 'faces', tmp_path / 'again', runs / 'flat'
  texts, _ = drawn(tmp_path / 'a.svg', *words)
  assert [text for text in texts if text == '8x8'] == ['8x8']
  texts, _ = drawn(tmp_path / 'b.svg', runs / 'faces', runs / 'slow')
  assert [text for text in texts if text == '8x8'] == ['8x8', '8x8']


def test_several_runs_have_a_panel_for_each_number(runs, tmp_path):
  texts, colours = drawn(
    tmp_path / 'a.svg', runs / 'faces', runs / 'slow', '--metrics', 'loss,fid'
  )
  assert {'faces', 'slow', 'loss_discriminator', 'loss_latent', 'fid5k'} <= (
    set(texts)
  )
  assert not {'loss', 'r1_penalty', 'images_per_second'} & set(texts)
  assert {BLUE, ORANGE} <= colours


def test_runs_are_told_apart_by_as_little_as_can_be(tmp_path, monkeypatch):
  for name in ('old/faces', 'new/faces', 'new/bedroom', 'faces'):
    write_records(tmp_path / name, [training(16), training(32)])
  monkeypatch.chdir(tmp_path / 'faces')
  words = '.', '../old/faces', '../new/faces/', tmp_path / 'new/bedroom'
  texts, _ = drawn(tmp_path / 'a.svg', *words, '--metrics', 'r1')
  place = tmp_path.name
  assert {f'{place}/faces', 'old/faces', 'new/faces', 'bedroom'} <= set(texts)


@pytest.mark.parametrize(
  'name', ['$x_1$', '_hidden', 'a & <b>', '\x1b[31mred', '猫', 'no\udcfftext']
)
def test_any_name_can_be_shown(tmp_path, name, capsys, recwarn):
  run = write_records(tmp_path / name, [training(16), training(32)])
  other = write_records(tmp_path / 'other', [training(16)])
  alae('plot', run, '--out', tmp_path / 'a.png')
  alae('plot', run, other, '--out', tmp_path / 'a.svg')
  shown = ET.parse(tmp_path / 'a.svg').getroot().itertext()
  escaped = name.replace('\x1b', '\\x1b').replace('\udcff', '\\udcff')
  assert escaped in [text.strip() for text in shown]
  assert not capsys.readouterr().err
  assert not list(recwarn)


def test_odd_numbers_are_drawn_as_far_as_they_can_be(tmp_path, recwarn):
  """The largest floats, one point, constants, and a number of one run."""
  large = [
    training(seen, r1_penalty=value, loss_latent=-value)
    for seen, value in ((16, 3e38), (32, -3e38), (48, 1e308), (64, 1e-38))
  ]
  run = write_records(tmp_path / 'large', large)
  point = write_records(tmp_path / 'point', [evaluation(0, fid5k=3)])
  far = write_records(tmp_path / 'far', [training(16), training(10**38)])
  for name, words in enumerate([[run], [point], [far], [run, point, far]]):
    for ending in ('png', 'svg'):
      alae('plot', *words, '--out', tmp_path / f'{name}.{ending}')
  assert not list(recwarn)


def test_a_long_run_makes_a_small_file_in_seconds(tmp_path):
  rng = np.random.default_rng(0)
  run = write_records(
    tmp_path / 'long',
    (
      training(16 * step, loss_latent=float(value), r1_penalty=float(value))
      for step, value in enumerate(rng.normal(size=50_000), 1)
    ),
  )
  began = time.monotonic()
  alae('plot', run, '--out', tmp_path / 'a.svg')
  assert time.monotonic() - began < 30
  assert (tmp_path / 'a.svg').stat().st_size < 1_000_000


def test_the_same_records_make_the_same_file(runs, tmp_path):
  for ending in ('.png', '.svg', '.PNG'):
    one, other = tmp_path / f'one{ending}', tmp_path / f'other{ending}'
    for out in (one, other):
      alae('plot', runs / 'faces', runs / 'flat', '--out', out)
    assert one.read_bytes() == other.read_bytes()


def test_what_is_there_is_replaced_only_if_told(runs, tmp_path, capsys):
  out = tmp_path / 'a.png'
  for make in (out.touch, lambda: os.symlink('nowhere', out)):
    make()
    said = refused(capsys, 'plot', runs / 'flat', '--out', out)
    assert 'a.png is there already: give another --out, or --over' in said
    alae('plot', runs / 'flat', '--out', out, '--overwrite')
    assert pixels(out).shape[1] == 1200
    out.unlink()


def test_a_run_with_none_of_the_numbers_is_told_of(runs, tmp_path, capsys):
  words = 'plot', runs / 'faces', runs / 'flat', '--metrics', 'fid5k'
  alae(*words, '--out', tmp_path / 'a.svg')
  said = capsys.readouterr().err
  assert said == 'alae: warning: flat has none of these numbers: not drawn\n'
  assert 'flat' not in svg(tmp_path / 'a.svg')[0]


@pytest.mark.parametrize(
  ('words', 'said'),
  [
    ('{}/faces --metrics kid', "--metrics 'kid': no number 'kid': there is "),
    ('{}/faces --metrics loss,kid', 'loss_discriminator, loss_latent, r1_pen'),
    ('{}/faces --metrics blend', "no number 'blend'"),
    ('{}/faces --metrics ,', "--metrics ',' names no number: there is loss_"),
    ('{}/faces --metrics loss,r1,loss', "names 'loss' twice"),
    ('{}/faces {}/flat/../faces', 'is the same run as {}/faces: name it once'),
    ('{}/faces {}/none', '{}/none is not a run folder: there is no such fold'),
    ('{}/faces {}', 'is not a run folder: it has no config.json'),
    ('{}/faces/config.json', 'is not a run folder: it is a file'),
  ],
)
def test_what_is_wrong_is_told_in_one_line(runs, tmp_path, capsys, words, said):
  out = tmp_path / 'a.png'
  words = [word.format(runs) for word in words.split()]
  words = [word.replace('{}', str(runs)) for word in words]
  told = refused(capsys, 'plot', *words, '--out', out)
  assert said.replace('{}', str(runs)) in told
  assert not out.exists()


@pytest.mark.parametrize(
  'records',
  [[], [{'images_seen': 16, 'step': 1, 'resolution': 8}], [{'loss': 1}]],
)
def test_a_run_without_numbers_is_refused(tmp_path, capsys, records):
  run = write_records(tmp_path / 'run', records)
  said = refused(capsys, 'plot', run, '--out', tmp_path / 'a.png')
  assert f'{run}: metrics.jsonl holds no numbers to draw' in said
  (run / 'metrics.jsonl').unlink()
  assert said == refused(capsys, 'plot', run, '--out', tmp_path / 'a.png')
  (run / 'metrics.jsonl').mkdir()
  said = refused(capsys, 'plot', run, '--out', tmp_path / 'a.png')
  assert 'metrics.jsonl is a folder: name a file' in said


def test_more_than_a_picture_holds_is_refused(tmp_path, capsys):
  many = {f'number{i}': 1.0 for i in range(200)}
  run = write_records(tmp_path / 'run', [training(16, **many)])
  words = 'plot', run, '--out', tmp_path / 'a.png'
  assert '--metrics are 205 numbers, more' in refused(capsys, *words)
  alae(*words, '--metrics', 'number19')
  copies = []
  for i in range(51):
    copies.append(write_records(tmp_path / f'{i}', [training(16)]))
  said = refused(capsys, 'plot', *copies, '--out', tmp_path / 'b.png')
  assert '51 runs' in said
  alae('plot', *copies[:12], '--out', tmp_path / 'b.png')


def test_a_users_own_style_changes_nothing(runs, tmp_path, monkeypatch):
  import matplotlib

  alae('plot', runs / 'flat', '--out', tmp_path / 'a.svg')
  with matplotlib.rc_context({'text.usetex': True, 'font.size': 30}):
    alae('plot', runs / 'flat', '--out', tmp_path / 'b.svg')
    assert matplotlib.rcParams['font.size'] == 30
  # Matplotlib derives the names of shapes from addresses in memory, too.
  one, other = (
    re.sub(r'[a-z][0-9a-f]{10}', 'shape', (tmp_path / name).read_text())
    for name in ('a.svg', 'b.svg')
  )
  assert one == other
  assert 'matplotlib.pyplot' not in sys.modules
