"""Weights from files as they are published, and from the cache."""

import contextlib
import functools
import http.server
import importlib.util
import json
import os
import re
import subprocess
import sys
import textwrap
import threading

import pytest
from etils import epath

from alae_jax.errors import UserError
from alae_jax.metrics.networks import conversion, naming, published, weights
from tests.support import published_weights as fakes
from tests.support.published_weights import assert_params

torch = pytest.importorskip('torch')


@pytest.fixture(scope='module')
def inception():
  return fakes.draw('inception')


@pytest.fixture(scope='module')
def lpips():
  return fakes.draw('lpips', 1)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('published')


@pytest.fixture(scope='module')
def inception_file(inception, folder):
  """As pytorch-fid publishes it."""
  path = folder / 'pt_inception-2015-12-05-{}.pth'
  torch.save(fakes.state_dict(inception), path)
  return fakes.named_by_sum(path)


@pytest.fixture(scope='module')
def lpips_files(lpips, folder):
  """VGG16 as torchvision publishes it, and LPIPS' own weights."""
  vgg, heads = folder / 'vgg16-{}.pth', folder / 'vgg.pth'
  old = {'_use_new_zipfile_serialization': False}
  torch.save(fakes.vgg_state_dict(lpips), vgg, **old)
  torch.save(fakes.heads_state_dict(lpips), heads, **old)
  return [fakes.named_by_sum(vgg), heads]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
  """An empty cache; what is in it for weights."""
  monkeypatch.setenv('ALAE_CACHE', str(tmp_path / 'cache'))
  return tmp_path / 'cache' / 'weights'


def refuse(*paths, name='inception'):
  """The one line that files are refused with."""
  with pytest.raises(UserError) as caught:
    weights.convert(name, paths)
  assert '\n' not in str(caught.value)
  return str(caught.value)


# Files that are given.


def test_inception_as_pytorch_fid_publishes_it(inception, inception_file):
  found = weights.convert('inception', [inception_file])
  assert_params(found, inception)
  assert found.source == inception_file.name
  assert found.sha256[:8] in inception_file.name


def test_inception_in_pytorchs_older_format(inception, tmp_path):
  path = tmp_path / 'old.pth'
  content = fakes.state_dict(inception)
  torch.save(content, path, _use_new_zipfile_serialization=False)
  assert_params(weights.convert('inception', [path]), inception)


def test_inception_as_nvidia_publishes_it(inception, tmp_path, monkeypatch):
  path = tmp_path / 'inception-2015-12-05.pt'
  fakes.write_program(fakes.program_of(fakes.in_graph(inception)), path)
  monkeypatch.setitem(sys.modules, 'torch', None)  # it isn't needed
  assert_params(weights.convert('inception', [path]), inception)


def test_nvidias_names_are_known_however_they_are_parted(inception):
  shapes = conversion.shapes('inception')
  name_of = naming.of_graph([p[:-5] for p in shapes if p.endswith('/mean')])
  for nested in (False, True):
    tensors = fakes.in_graph(inception, nested)
    found = [name_of(name, x.ndim) for name, x in tensors.items()]
    assert found == [path for path in inception if not path.endswith('/scale')]


@pytest.mark.parametrize('sliced', [False, True])
def test_lpips_of_two_files_in_any_order(lpips, lpips_files, tmp_path, sliced):
  vgg, heads = lpips_files
  if sliced:
    vgg = tmp_path / 'sliced.pth'
    torch.save(fakes.vgg_state_dict(lpips, sliced=True), vgg)
  found = weights.convert('lpips', [heads, vgg])
  assert_params(found, lpips)
  assert found.source == f'vgg.pth + {vgg.name}'
  assert len(found.sha256) == 64 + 3 + 64


def test_lpips_of_one_file(lpips, tmp_path):
  path = tmp_path / 'all.pth'
  content = fakes.vgg_state_dict(lpips, sliced=True)
  content |= fakes.heads_state_dict(lpips, prefix='model.')
  torch.save(content, path)
  assert_params(weights.convert('lpips', [path]), lpips)


def test_the_heads_that_the_lpips_package_ships():
  package = importlib.util.find_spec('lpips')  # whose import needs others
  if package is None:
    pytest.skip('the package lpips is not here')
  root = os.path.dirname(package.origin)
  path = os.path.join(root, 'weights', 'v0.1', 'vgg.pth')
  said = refuse(path, name='lpips')
  assert said.startswith('vgg.pth lacks vgg/features_0/bias and 25 others of')
  file = published.NETWORKS['lpips'][1][0]
  assert published.check_sum(epath.Path(path)) == file.sha256


def test_files_that_lack_something_are_told(lpips, lpips_files, tmp_path):
  vgg, heads = lpips_files
  assert refuse(vgg, name='lpips') == (
    f'{vgg.name} lacks lin0 and 4 others of lpips, which is published as '
    'vgg16-397923af.pth and vgg.pth'
  )
  assert 'lacks Conv2d_1a_3x3/bias and 471 others of inception' in refuse(heads)
  path = tmp_path / 'most.pth'
  content = fakes.vgg_state_dict(lpips) | fakes.heads_state_dict(lpips)
  del content['features.28.bias']
  torch.save(content, path)
  assert 'most.pth lacks vgg/features_28/bias of lpips' in refuse(
    path, name='lpips'
  )
  assert 'no such file' in refuse(tmp_path / 'none.pth')


@pytest.mark.parametrize(
  ('change', 'said'),
  [
    (
      {'fc.bias': torch.zeros(1000)},
      'tensor fc.bias has shape (1000,), not (1008,)',
    ),
    ({'fc.bias': torch.zeros(1008).int()}, 'fc.bias has type torch.int32'),
    ({'fc.bias': torch.full((1008,), float('inf'))}, 'fc.bias has values that'),
    ({'fc.bias': 'text'}, 'fc.bias is not a tensor but of type str'),
    ({'fc.bias': torch.ones(1).expand(10**9)}, 'tensor fc.bias would take'),
    (
      {'Conv2d_1a_3x3.bn.running_var': -torch.ones(32)},
      'tensor Conv2d_1a_3x3.bn.running_var has variances below 0',
    ),
    (
      {'Conv2d_1a_3x3.conv.weight': torch.zeros(3, 3, 3, 32)},
      'has shape (3, 3, 3, 32), not (32, 3, 3, 3)',
    ),
  ],
)
def test_a_wrong_tensor_is_named(tmp_path, change, said):
  path = tmp_path / 'wrong.pth'
  torch.save(change, path)
  assert said in refuse(path)


def test_a_file_is_compared_with_the_sum_in_its_name(lpips_files, tmp_path):
  path = tmp_path / 'vgg16-397923af.pth'
  path.write_bytes(lpips_files[1].read_bytes())
  digits = published.sha256_of(epath.Path(path))[:8]
  assert refuse(path, name='lpips') == (
    f'{path} is not the published file: its SHA-256 begins with {digits}, not '
    '397923af: download it again'
  )


def test_other_files_are_told(tmp_path):
  class Odd:
    def __reduce__(self):
      return print, ('x',)

  path = tmp_path / 'odd.pth'
  torch.save([torch.zeros(1)], path)
  assert 'holds no tensors by name but a list' in refuse(path)
  torch.save({'x': Odd()}, path)
  assert 'print, which no file of weights needs' in refuse(path)
  path.write_text('<html>')
  assert 'is not a PyTorch checkpoint but a web page' in refuse(path)


def test_pytorch_is_asked_for_where_it_is_needed(lpips_files, monkeypatch):
  monkeypatch.setitem(sys.modules, 'torch', None)
  said = refuse(*lpips_files, name='lpips')
  assert "pip install 'alae_jax[torch]'" in said


# The cache.


def test_what_is_kept_is_found_without_pytorch(
  lpips, lpips_files, cache, monkeypatch
):
  kept = weights.keep('lpips', lpips_files)
  assert {path.name for path in cache.iterdir()} - {'.lpips.lock'} == {
    'lpips.safetensors'
  }
  monkeypatch.setitem(sys.modules, 'torch', None)
  found = weights.load('lpips')
  assert_params(found, lpips)
  assert (found.sha256, found.source) == (kept.sha256, kept.source)


def test_what_is_kept_is_replaced_or_stays(lpips, lpips_files, tmp_path):
  weights.keep('lpips', lpips_files)
  with pytest.raises(UserError):
    weights.keep('lpips', lpips_files[:1])
  assert_params(weights.load('lpips'), lpips)
  path = tmp_path / 'other.pth'
  other = {name: value + 1 for name, value in lpips.items()}
  content = fakes.vgg_state_dict(other) | fakes.heads_state_dict(other)
  torch.save(content, path)
  weights.keep('lpips', [path])
  assert_params(weights.load('lpips'), other)
  assert weights.load('lpips').source == 'other.pth'


def test_damage_in_the_cache_is_told(lpips_files, cache):
  weights.keep('lpips', lpips_files)
  path = cache / 'lpips.safetensors'
  whole = path.read_bytes()
  flipped = bytearray(whole)
  flipped[len(whole) // 2] ^= 1
  renamed = whole.replace(b'"lin0"', b'"lin9"')
  for content in (bytes(flipped), renamed, whole[:-9], whole[:5], b''):
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
      weights.load('lpips')
    assert str(caught.value) == (
      f'{path} is damaged: remove it, and it is made again'
    )


def test_another_network_is_refused():
  with pytest.raises(UserError, match="no network 'alex': there is inception"):
    weights.load('alex')


# Files that are downloaded.


class Handler(http.server.SimpleHTTPRequestHandler):
  asked: list  # of each server

  def do_GET(self):
    self.asked.append(self.path)
    super().do_GET()

  def log_message(self, *args):
    pass


@contextlib.contextmanager
def serving(folder):
  """(address, what is asked for) of a server of the files in a folder."""
  handler = type('Own', (Handler,), {'asked': []})
  with http.server.ThreadingHTTPServer(
    ('localhost', 0), functools.partial(handler, directory=folder)
  ) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
      yield f'http://localhost:{server.server_port}', handler.asked
    finally:
      server.shutdown()
      thread.join()


def parts_at(address, files):
  """What published.NETWORKS has for a network of these files."""
  return tuple(
    (
      published.File(
        f'{address}/{file.name}',
        published.sha256_of(epath.Path(file)),
      ),
    )
    for file in files
  )


def test_weights_are_downloaded_once(lpips, lpips_files, cache, monkeypatch):
  with serving(lpips_files[0].parent) as (address, asked):
    parts = parts_at(address, lpips_files)
    monkeypatch.setitem(published.NETWORKS, 'lpips', parts)
    assert_params(weights.load('lpips'), lpips)
    assert asked == [f'/{file.name}' for file in lpips_files]
    assert_params(weights.load('lpips'), lpips)
    assert len(asked) == 2
  left = {path.name for path in cache.rglob('*') if path.is_file()}
  assert left - {'.lpips.lock'} == {'lpips.safetensors'}


def test_files_that_lie_there_are_taken(lpips, lpips_files, cache, monkeypatch):
  cache.mkdir(parents=True)
  (cache / lpips_files[0].name).write_bytes(lpips_files[0].read_bytes())
  with serving(lpips_files[0].parent) as (address, asked):
    parts = parts_at(address, lpips_files)
    monkeypatch.setitem(published.NETWORKS, 'lpips', parts)
    assert_params(weights.load('lpips'), lpips)
    assert asked == ['/vgg.pth']
  assert (cache / lpips_files[0].name).exists()  # a user's own


def test_another_file_that_lies_there_is_told(cache):
  cache.mkdir(parents=True)
  (cache / 'vgg.pth').write_bytes(b'other')
  with pytest.raises(UserError) as caught:
    weights.load('lpips')
  assert str(caught.value).startswith(
    f'{cache}/vgg.pth is not the published file: its SHA-256 begins with '
  )


@pytest.mark.parametrize('size', [0, 3000])
def test_a_corrupted_download_is_refused(
  lpips_files, cache, monkeypatch, tmp_path, size
):
  parts = parts_at('', lpips_files)
  bad = tmp_path / 'bad'
  bad.mkdir()
  (bad / lpips_files[0].name).write_bytes(bytes(size))
  with serving(bad) as (address, _):
    files = tuple(
      (published.File(address + part[0].url, part[0].sha256),) for part in parts
    )
    monkeypatch.setitem(published.NETWORKS, 'lpips', files)
    with pytest.raises(UserError) as caught:
      weights.load('lpips')
  said = str(caught.value)
  url = f'{address}/{lpips_files[0].name}'
  assert said.startswith(f'{url} is not the published file: its SHA-256 begins')
  assert said.endswith(
    f'get {lpips_files[0].name} elsewhere and put it in {cache}'
  )
  assert not list(cache.rglob('*.p*'))


def test_offline_it_is_told_where_to_put_the_file(
  lpips_files, cache, monkeypatch
):
  with serving(lpips_files[0].parent) as (address, _):
    pass  # and nobody is there any more
  parts = parts_at(address, lpips_files)
  monkeypatch.setitem(published.NETWORKS, 'lpips', parts)
  with pytest.raises(UserError) as caught:
    weights.load('lpips')
  name = lpips_files[0].name
  assert str(caught.value) == (
    f'cannot download {address}/{name} (ConnectionError): get {name} elsewhere '
    f'and put it in {cache}'
  )


def test_a_file_that_is_gone_is_told(lpips_files, monkeypatch, tmp_path):
  with serving(tmp_path) as (address, _):
    parts = parts_at(address, lpips_files)
    monkeypatch.setitem(published.NETWORKS, 'lpips', parts)
    with pytest.raises(UserError, match=r'\(HTTP status 404\): get vgg16-'):
      weights.load('lpips')


def test_nothing_is_downloaded_in_vain(lpips_files, monkeypatch):
  monkeypatch.setitem(sys.modules, 'torch', None)
  with serving(lpips_files[0].parent) as (address, asked):
    parts = parts_at(address, lpips_files)
    monkeypatch.setitem(published.NETWORKS, 'lpips', parts)
    with pytest.raises(UserError, match='this needs PyTorch'):
      weights.load('lpips')
    assert not asked


def start(parts, before=''):
  """Starts a process that loads LPIPS, and prints a number that tells of it."""
  files = [[part[0].url, part[0].sha256] for part in parts]
  script = f"""
    import json, os, sys
    from alae_jax.metrics.networks import published, weights
    published.NETWORKS['lpips'] = tuple(
      (published.File(*file),) for file in json.loads(sys.argv[1])
    )
    {before}
    print(weights.load('lpips').params['lin4'].sum())
  """
  return subprocess.Popen(
    [sys.executable, '-c', textwrap.dedent(script), json.dumps(files)],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def test_two_processes_at_once_download_once(lpips, lpips_files):
  with serving(lpips_files[0].parent) as (address, asked):
    parts = parts_at(address, lpips_files)
    jobs = [start(parts) for _ in range(2)]
    outs = [job.communicate(timeout=120) for job in jobs]
  assert [job.returncode for job in jobs] == [0, 0], outs
  assert {out.strip() for out, _ in outs} == {str(lpips['lin4'].sum())}
  assert sorted(asked) == sorted(f'/{file.name}' for file in lpips_files)


def test_a_killed_conversion_is_made_again(
  lpips, lpips_files, cache, monkeypatch
):
  with serving(lpips_files[0].parent) as (address, asked):
    parts = parts_at(address, lpips_files)
    job = start(parts, 'os.fsync = lambda file: os.kill(os.getpid(), 9)')
    _, said = job.communicate(timeout=120)
    assert job.returncode == -9, said
    assert len(list(cache.glob('.lpips.safetensors.*.partial'))) == 1
    assert not (cache / 'lpips.safetensors').exists()
    monkeypatch.setitem(published.NETWORKS, 'lpips', parts)
    assert_params(weights.load('lpips'), lpips)
    assert len(asked) == 2  # the files were there already
  left = {path.name for path in cache.rglob('*') if path.is_file()}
  assert left - {'.lpips.lock'} == {'lpips.safetensors'}


def test_published_names_and_sums_agree():
  assert set(weights.NAMES) == {'inception', 'lpips'}
  for parts in published.NETWORKS.values():
    for file in (file for part in parts for file in part):
      assert len(file.sha256) == 64
      told = re.search('-([0-9a-f]{8})[.]pth', file.name)
      assert not told or file.sha256.startswith(told[1])
