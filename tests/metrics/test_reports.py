"""What a table says of numbers that were not computed here."""

import json

import pytest

from alae_jax.metrics import reports
from alae_jax.metrics.published import Published

RECORD = {
  'metric': 'fid50k', 'protocol': 'stylegan', 'images': 50_000,
  'real_images': 60_000, 'split': 'train', 'features': 'inception',
  'features_identity': '6726825d' * 8, 'truncation': 0.7, 'seed': 3,
}  # fmt: skip


def measured(name, value, **facts):
  record = RECORD | facts
  return reports.Measured(name, '10 images, ema', [record], {'fid50k': value})


def test_a_record_in_words():
  assert reports.describe(RECORD) == (
    'protocol stylegan, 50,000 images, 60,000 real images, split train, '
    'features inception (SHA-256 6726825d6726), truncation 0.7, seed 3'
  )
  of_two = {'features_identity': ' + '.join(['ab' * 32, 'cd' * 32])}
  told = reports.describe(RECORD | of_two | {'face_crop': True})
  assert '(SHA-256 abababababab + cdcdcdcdcdcd)' in told
  assert 'the middle of the face' in told


def test_what_was_computed_alike_is_told_once():
  alike = [measured('a', 1.0), measured('b', 2.0)]
  text = reports.report(alike, [], 'text').splitlines()
  assert text[2] == 'fid50k  1.0000          2.0000'
  assert len(text) == 4 and text[3].startswith('fid50k: protocol')
  other = [*alike, measured('c', None, images=7)]
  text = reports.report(other, [], 'text').splitlines()
  assert text[2].split() == ['fid50k', '1.0000', '2.0000', 'not', 'finite']
  assert text[3].startswith('fid50k of a, b: protocol')
  assert text[4].startswith('fid50k of c: protocol stylegan, 7 images')


def test_published_numbers_in_every_format():
  like = Published('x', 8, 'fid', 'GAN', 4.4, 'Someone 2020', 'cropped')
  runs = [measured('a|b', 1.0)]
  text = reports.report(runs, [like], 'text')
  assert 'GAN 4.4' in text
  assert text.endswith('published: fid 4.4 of GAN, 8x8: Someone 2020; cropped')
  table = reports.report(runs, [like], 'markdown').splitlines()
  assert table[:3] == [
    '|  | a\\|b<br>10 images, ema | published |',
    '| --- | --- | --- |',
    '| fid50k | 1.0000 | GAN 4.4 |',
  ]
  found = json.loads(reports.report(runs, [like], 'json'))
  assert found['published'][0]['differs'] == 'cropped'
  assert found['runs'] == [{'workdir': 'a|b', 'records': [RECORD]}]


@pytest.mark.parametrize(
  ('value', 'text'),
  [
    (12.34567, '12.3457'), (0.0, '0.0000'), (0.00123, '1.230e-03'),
    (-0.5, '-0.5000'), (1500, '1,500'), (None, 'not finite'),
    (float('inf'), 'not finite'),
  ],
)  # fmt: skip
def test_numbers(value, text):
  assert reports.shown(value) == text
