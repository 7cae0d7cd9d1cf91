"""What is refused before the work begins."""

import argparse
import types

import numpy as np
import pytest

from alae_jax.commands import checks
from alae_jax.errors import UserError
from alae_jax.inference import pictures
from alae_jax.inference.sheets import Sheet
from tests.support.measured import make_metric
from tests.support.verbs import alae, names, refused

LARGE = types.SimpleNamespace(resolution=1024)


def test_a_picture_is_as_large_as_pillow_opens():
  checks.check_picture(LARGE, 150, Sheet(10))
  with pytest.raises(UserError, match='a picture of 171 images'):
    checks.check_picture(LARGE, 171, Sheet(20))
  checks.check_picture(LARGE, 169, Sheet(13))
  with pytest.raises(UserError, match='a picture of 169 images'):
    checks.check_picture(LARGE, 169, Sheet(13, captions=['x'] * 169))


def test_a_film_is_as_large_as_memory_holds():
  checks.check_frames(LARGE, 1000)
  with pytest.raises(UserError, match='a film of 1,000 frames'):
    checks.check_frames(LARGE, 1000, 2)


@pytest.mark.parametrize('resolution', [8, 64, 100, 256])
def test_the_side_of_a_cell_is_that_of_a_grid(resolution):
  images = pictures.enlarge(np.zeros((1, resolution, resolution, 1), np.uint8))
  side = pictures.cell_side(resolution)
  assert pictures.grid(images, 1).shape == (side + 2, side + 2, 1)


@pytest.mark.parametrize(
  ('films', 'rate', 'fits'),
  [
    ('gif', 0.002, True),
    ('gif', 50, True),
    ('gif', 51, False),
    ('png', 1e-9, True),  # its default, whatever it is
  ],
)
def test_a_rate_is_one_of_the_format(films, rate, fits):
  args = argparse.Namespace(format=(films,), rate=rate, given=())
  if fits:
    checks.check_film(args)
  else:
    with pytest.raises(UserError, match='gif shows'):
      checks.check_film(args)


def test_data_that_is_built_in_is_in_no_folder(mlp, capsys, monkeypatch):
  make_metric(monkeypatch, 'probe', lambda _: {'number': 1})
  alae('evaluate', mlp, '--metrics', 'probe', '--data_dir', 'now')
  assert '--data_dir is not read' in capsys.readouterr().err


def test_noise_without_noise_is_told_and_works(mlp, tmp_path, capsys):
  words = 'generate', mlp, '--seeds', 1, '--out'
  alae(*words, tmp_path / 'a', '--noise', 'none')
  assert capsys.readouterr().err == (
    'alae: warning: --noise none: the model has no noise\n'
  )
  alae(*words, tmp_path / 'b')
  assert not capsys.readouterr().err


def test_more_seeds_than_are_held_in_memory(mlp, tmp_path, monkeypatch):
  from alae_jax.commands import generate

  words = 'generate', mlp, '--seeds', '0-9', '--out'
  alae(*words, tmp_path / 'whole')
  monkeypatch.setattr(generate, '_AT_ONCE', 4)
  alae(*words, tmp_path / 'parts')
  assert names(tmp_path / 'whole') == names(tmp_path / 'parts')
  for name in names(tmp_path / 'whole') - {'generate.json'}:
    content = (tmp_path / 'whole' / name).read_bytes()
    assert content == (tmp_path / 'parts' / name).read_bytes()


def test_the_option_that_does_nothing_is_named(mlp, tmp_path, capsys):
  assert '--columns is of a grid' in refused(
    capsys, 'generate', mlp, '--seeds', 1, '--columns', 2, '--out', tmp_path
  )
