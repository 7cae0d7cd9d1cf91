import pytest

from alae_jax.errors import UserError
from alae_jax.metrics import names
from alae_jax.metrics.base import Settings
from alae_jax.metrics.distances import Fid, FidRec, Kid, PrecisionRecall
from alae_jax.metrics.path_length import Path, PathLength
from alae_jax.metrics.reconstruction import LpipsRec, Rec


@pytest.mark.parametrize(
  ('name', 'metric'),
  [
    ('fid50k', Fid('fid50k', 50_000)),
    ('fid500', Fid('fid500', 500)),
    ('fid5k_rec', FidRec('fid5k_rec', 5_000)),
    ('kid10k', Kid('kid10k', 10_000)),
    ('pr50k3', PrecisionRecall('pr50k3', 50_000, 3)),
    ('pr2k10', PrecisionRecall('pr2k10', 2_000, 10)),
    ('ppl_w_end', PathLength('ppl_w_end', 50_000, Path('w', False, False))),
    ('ppl_z_full', PathLength('ppl_z_full', 50_000, Path('z', True, False))),
    (
      'ppl1k_w_full_crop',
      PathLength('ppl1k_w_full_crop', 1_000, Path('w', True, True)),
    ),
    ('lpips_rec', LpipsRec('lpips_rec', None)),
    ('rec', Rec('rec', None)),
    ('rec10', Rec('rec10', 10)),
  ],
)
def test_numbers_in_names_are_read(name, metric):
  assert names.find(name) == metric


def test_all_that_users_are_told_of_exist():
  assert [metric.name for metric in names.find_all(names.METRICS)] == list(
    names.METRICS
  )


@pytest.mark.parametrize(
  'name',
  ['', 'fid', 'FID50k', 'fid50k ', 'fidk', 'fid5m', 'pr50k', 'pr50k0',
   'ppl_x_end', 'ppl_w', 'kid50k_rec', 'rec_', 'probe1', 'fid' + '9' * 60,
   'fid²', 'fid\u0663'],
)  # fmt: skip
def test_what_there_is_not(name):
  with pytest.raises(UserError, match=r'there is fid50k, .* as in fid5k'):
    names.find(name)


@pytest.mark.parametrize('name', ['fid0', 'rec0', 'kid0k'])
def test_of_no_image(name):
  with pytest.raises(UserError, match='of no image'):
    names.find(name)


@pytest.mark.parametrize('name', ['fid1001k', 'pr2000k3', 'rec' + '9' * 30])
def test_of_too_many_images(name):
  with pytest.raises(UserError, match='of 1,000,000 images at most'):
    names.find(name)


@pytest.mark.parametrize(
  ('features', 'numbers'),
  [
    (
      'inception',
      ['fid5k', 'fid5k_rec', 'kid5k', 'pr5k3/precision', 'pr5k3/recall',
       'ppl5k_w_end', 'lpips_rec'],
    ),
    (
      'random',
      ['fd_random_inception', 'fd_random_inception_rec',
       'kd_random_inception', 'pr_random_inception/precision',
       'pr_random_inception/recall', 'ppl5k_w_end_random',
       'lpips_rec_random'],
    ),
  ],
)  # fmt: skip
def test_only_inceptions_numbers_are_called_fid(features, numbers):
  metrics = names.find_all(
    ['fid5k', 'fid5k_rec', 'kid5k', 'pr5k3', 'ppl5k_w_end', 'lpips_rec']
  )
  settings = Settings(features=features)
  given = [n for metric in metrics for n in metric.numbers(settings)]
  assert given == numbers
