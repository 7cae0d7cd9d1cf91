"""`alae weights` says what is there, and takes what it is given."""

import pytest

from alae_jax.metrics.networks import published
from tests.support import published_weights as fakes
from tests.support.verbs import alae, names, refused

torch = pytest.importorskip('torch')


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
  monkeypatch.setenv('ALAE_CACHE', str(tmp_path / 'cache'))
  return tmp_path / 'cache' / 'weights'


@pytest.fixture(scope='module')
def sources(tmp_path_factory):
  """Files of LPIPS, by two names."""
  params = fakes.draw('lpips')
  folder = tmp_path_factory.mktemp('sources')
  content = fakes.vgg_state_dict(params) | fakes.heads_state_dict(params)
  torch.save(content, folder / 'one.pth')
  torch.save(fakes.vgg_state_dict(params), folder / 'vgg.pth')
  torch.save(fakes.heads_state_dict(params), folder / 'heads.pth')
  return folder


def told(cache, *paths):
  digests = ' + '.join(published.sha256_of(path) for path in paths)
  return (
    f'{cache}/lpips.safetensors\n'
    f'  of       {" + ".join(path.name for path in paths)}\n'
    f'  SHA-256  {digests}\n'
  )


def test_files_are_taken_told_and_replaced(sources, cache, capsys):
  one = sources / 'one.pth'
  alae('weights', 'lpips', '--source', one)
  assert capsys.readouterr().out == told(cache, one)
  alae('weights', 'lpips')
  assert capsys.readouterr().out == told(cache, one)
  two = sources / 'vgg.pth', sources / 'heads.pth'
  alae('weights', 'lpips', '--source', *two)
  assert capsys.readouterr().out == told(cache, *two)
  assert names(cache) - {'.lpips.lock'} == {'lpips.safetensors'}


def test_wrong_files_are_told_in_one_line_and_change_nothing(
  sources, cache, capsys
):
  said = refused(capsys, 'weights', 'lpips', '--source', sources / 'heads.pth')
  assert 'heads.pth lacks vgg/features_0/bias and 25 others of lpips' in said
  assert not cache.exists()


def test_a_network_must_be_named(capsys):
  assert 'network' in refused(capsys, 'weights')
  assert 'alex' in refused(capsys, 'weights', 'alex')
