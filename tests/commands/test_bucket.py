"""Run folders, datasets and results in a bucket, as on a disk."""

import http.server
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from etils import epath

from alae_jax import cli, storage
from alae_jax.data import datasets, prepare, remote
from alae_jax.errors import UserError
from alae_jax.inference import loading
from alae_jax.runs import records
from alae_jax.runs.checkpoint import Checkpoints
from alae_jax.runs.folder import open_folder
from alae_jax.training import loop
from tests.support import bucket as bucket_lib
from tests.support import example_data, verbs
from tests.support.runs import (
  assert_identical,
  final_state,
  make_tiny_config,
  stop_after,
)


@pytest.fixture(scope='module')
def bucket():
  with bucket_lib.serve() as url:
    yield url


@pytest.fixture
def cache(tmp_path, monkeypatch):
  """The folder of this machine's copies, empty."""
  folder = tmp_path / 'cache'
  monkeypatch.setenv('ALAE_CACHE', str(folder))
  return folder


def names(folder):
  return {path.name for path in epath.Path(folder).iterdir()}


class Killed(BaseException):
  pass


def kill():
  raise Killed


def test_a_remote_run_is_killed_goes_on_and_ends_like_a_local_one(
  bucket, tmp_path, tiny_config, monkeypatch
):
  local, far = str(tmp_path / 'run'), f'{bucket}/runs/killed'
  tiny_config.log.keep_last = 1
  loop.train(tiny_config, local)
  with monkeypatch.context() as patch:
    stop_after(patch, 80, kill)
    with pytest.raises(Killed):
      loop.train(tiny_config, far)
  loop.train(tiny_config, far)
  assert_identical(final_state(far), final_state(local))
  for folder in ('checkpoints', 'pictures'):
    assert names(f'{far}/{folder}') == names(f'{local}/{folder}')
  for kind in ('samples', 'reconstructions'):
    picture = f'pictures/{kind}_000000096.png'
    assert (epath.Path(far) / picture).read_bytes() == (
      epath.Path(local) / picture
    ).read_bytes()
  told, wanted = (
    records.read(epath.Path(folder) / 'metrics.jsonl')
    for folder in (far, local)
  )
  assert [record['loss_latent'] for record in told] == [
    record['loss_latent'] for record in wanted
  ]
  assert (
    'continuing after 64 of 96' in (epath.Path(far) / 'log.txt').read_text()
  )
  assert any('tfevents' in name for name in names(far))


def test_half_a_remote_checkpoint_is_not_picked_up(bucket):
  far = f'{bucket}/runs/half'
  loop.train(make_tiny_config(), far)
  folder = open_folder(far)
  (folder.checkpoints / '96' / 'commit_success.txt').unlink()
  checkpoints = Checkpoints(folder.checkpoints)
  assert checkpoints.latest() == 64
  checkpoints.close()


def test_a_notebook_sees_what_another_machine_has_written(bucket, monkeypatch):
  folder = epath.Path(bucket) / 'polled'
  (folder / 'old').write_text('')
  assert names(folder) == {'old'}
  program = (
    f'from etils import epath; epath.Path("{folder}/new").write_text("")'
  )
  subprocess.run([sys.executable, '-c', program], check=True)
  client = epath.backend.fsspec_backend.fs(bucket)
  assert client.dircache.listings_expiry_time == storage.SECONDS_REMEMBERED
  now = time.time() + storage.SECONDS_REMEMBERED + 1
  monkeypatch.setattr('fsspec.dircache.time.time', lambda: now)
  assert names(folder) == {'old', 'new'}


def test_verbs_read_and_write_a_bucket(bucket, mlp, capsys):
  far = f'{bucket}/runs/verbs'
  loop.train(make_tiny_config(), far)
  assert not cli.main(['evaluate', far, '--metrics', 'probe'])
  assert 'probe/svm_w' in capsys.readouterr().out
  assert 'probe/svm_w' in records.read(open_folder(far).metrics)[-1]
  out = f'{bucket}/pictures'
  assert not cli.main(['generate', far, '--seeds', '0-1', '--out', out])
  assert not cli.main(
    ['reconstruct', mlp, f'{out}/seed0000.png', '--out', f'{bucket}/rebuilt']
  )
  assert 'reconstruct.json' in names(f'{bucket}/rebuilt')
  assert loading.load(far).resolution == 8


@pytest.fixture
def photos(tmp_path):
  """A folder of a dozen images of noise."""
  folder = tmp_path / 'photos'
  example_data.write_images(folder, count=12, side=16)
  return folder


def read_all(name, data_dir, resolution, split='train'):
  source = datasets.open_dataset(name, data_dir, split, resolution)
  return source.batch(range(len(source)))['image']


def test_a_remote_dataset_holds_what_a_local_one_does(
  bucket, cache, photos, tmp_path
):
  far = f'{bucket}/data'
  made = prepare.prepare('noise', photos, far)
  assert [str(path) for path in made] == [
    f'{far}/noise/{level}/1.0.0' for level in (16, 8, 4)
  ]
  assert names(f'{far}/noise') == {'16', '8', '4'}
  prepare.prepare('noise', photos, tmp_path)
  for level in (16, 8, 4):
    np.testing.assert_array_equal(
      read_all('noise', far, level), read_all('noise', tmp_path, level)
    )
  assert not list(cache.rglob('*test*'))  # only what was read is copied


def test_images_of_a_bucket_become_a_dataset(bucket, cache, photos, tmp_path):
  for path in photos.iterdir():
    epath.Path(path).copy(f'{bucket}/photos/{path.name}')
  prepare.prepare('noise', f'{bucket}/photos', tmp_path)
  prepare.prepare('same', photos, tmp_path)
  np.testing.assert_array_equal(
    read_all('noise', tmp_path, 16), read_all('same', tmp_path, 16)
  )


def test_a_copy_is_made_once_and_anew_for_a_new_dataset(
  bucket, cache, photos, monkeypatch
):
  far = f'{bucket}/replaced'
  prepare.prepare('noise', photos, far)
  first = read_all('noise', far, 4)
  (photos / '00.png').unlink()
  with monkeypatch.context() as patch:
    patch.setattr(
      remote,
      '_copy',
      lambda source, target, names: (
        len(names) and pytest.fail(f'{names} are copied again')
      ),
    )
    np.testing.assert_array_equal(read_all('noise', far, 4), first)
  prepare.prepare('noise', photos, far, overwrite=True)
  assert len(read_all('noise', far, 4)) < len(first)


def test_other_images_of_the_same_sizes_are_another_dataset(bucket, cache):
  folder = epath.Path(bucket) / 'same_sizes'
  copies = set()
  for fingerprint in ('one', 'other', 'other'):
    (folder / 'dataset_info.json').write_text('{}')
    (folder / 'metadata.json').write_text(fingerprint)
    copies.add(copy := remote.local_copy(folder, ()))
    assert (copy / 'metadata.json').read_text() == fingerprint
  assert len(copies) == 2


def test_an_upload_that_was_killed_is_no_dataset_and_goes_on(
  bucket, cache, photos, monkeypatch
):
  far = f'{bucket}/halfway'
  copy = epath.Path(far).__class__.copy
  uploads = []

  def fail_at_last(self, target, overwrite=False):
    uploads.append(target)
    if len(uploads) == 4:
      raise Killed
    return copy(self, target, overwrite)

  with monkeypatch.context() as patch:
    patch.setattr(epath.Path(far).__class__, 'copy', fail_at_last)
    with pytest.raises(Killed):
      prepare.prepare('noise', photos, far)
  with pytest.raises(UserError, match='no dataset'):
    datasets.open_dataset('noise', far, 'train', 16)
  assert prepare.prepare('noise', photos, far)
  assert read_all('noise', far, 16).shape[1:] == (16, 16, 3)


def test_training_reads_a_remote_dataset(bucket, cache, tmp_path, tiny_config):
  tiny_config.data.name = 'mnist'
  tiny_config.data.data_dir = f'{bucket}/data'
  tiny_config.model.resolution = 28
  files = example_data.write_mnist(
    tmp_path / 'idx', example_data.random_mnist()
  )
  prepare.prepare('mnist', files, f'{bucket}/data')
  loop.train(tiny_config, str(tmp_path / 'run'))
  assert loading.load(str(tmp_path / 'run')).resolution == 28
  assert {path.name.split('.')[0] for path in cache.rglob('*record-*')} == {
    'mnist-train',
    'mnist-test',
  }


def test_other_storage_is_refused_in_one_line(capsys):
  assert 's3://bucket/run: a remote path must begin with gs://BUCKET' in (
    verbs.refused(capsys, 'evaluate', 's3://bucket/run', '--metrics', 'probe')
  )


def test_a_package_that_is_missing_is_told_in_one_line():
  program = (
    'import sys; sys.modules["gcsfs"] = None; '
    'from alae_jax import cli; sys.exit(cli.main('
    '["evaluate", "gs://b/r", "--metrics", "probe"]))'
  )
  done = subprocess.run(
    [sys.executable, '-c', program], capture_output=True, text=True, check=False
  )
  assert done.returncode == 2
  assert done.stderr.removeprefix('starting ...\n') == (
    "alae: gs://b/r needs gcsfs: pip install 'alae_jax[gcs]'\n"
  )


class Refusal(http.server.BaseHTTPRequestHandler):
  """Lets nobody in."""

  def do_GET(self):
    self.send_error(403, 'no access')

  def log_message(self, *_):
    pass


def test_a_bucket_that_is_shut_is_told_in_one_line():
  with http.server.ThreadingHTTPServer(('localhost', 0), Refusal) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f'http://localhost:{server.server_port}'
    done = subprocess.run(
      [
        sys.executable,
        '-m',
        'alae_jax',
        'evaluate',
        'gs://shut/run',
        '--metrics',
        'probe',
      ],
      capture_output=True,
      text=True,
      check=False,
      env=os.environ
      | {
        'STORAGE_EMULATOR_HOST': address,
        'GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT': 'false',
      },
    )
    server.shutdown()
  assert done.returncode == 2
  *_, said = done.stderr.splitlines()  # before it: what takes long
  assert said.startswith('alae: gs://shut/run cannot be reached: ')


@pytest.mark.parametrize('bad_files', ['fail', 'skip'])
def test_beam_makes_a_dataset_of_a_bucket_in_a_bucket(
  bucket, tmp_path, bad_files
):
  """As its workers in the cloud do: the source and the result are far."""
  pytest.importorskip('apache_beam')
  example_data.write_images(tmp_path / 'images', count=20, side=8)
  if bad_files == 'skip':
    (tmp_path / 'images' / '07.png').write_bytes(b'text')
  far = epath.Path(bucket) / 'beam' / bad_files
  for path in (tmp_path / 'images').iterdir():
    epath.Path(path).copy(far / 'images' / path.name)
  options = {'resolution': 8, 'bad_files': bad_files}
  prepare.prepare(
    'faces', far / 'images', far / 'data', **options, beam_options=[]
  )
  prepare.prepare('faces', tmp_path / 'images', tmp_path / 'data', **options)
  for split in ('train', 'test'):
    here, there = (
      datasets.open_dataset('faces', data_dir, split, 4)
      for data_dir in (tmp_path / 'data', far / 'data')
    )
    np.testing.assert_array_equal(
      here.batch(range(len(here)))['image'],
      there.batch(range(len(there)))['image'],
    )
  assert names(far / 'data') == {'faces'}


def test_a_model_is_exported_to_a_bucket_and_read_there(bucket, mlp, tmp_path):
  far = f'{bucket}/exported'
  words = ['--format', 'safetensors,stablehlo', '--out']
  verbs.alae('export', mlp, *words, far)
  assert 'decode.stablehlo' in names(far)
  there, here = loading.load(far), loading.load(mlp)
  w = np.ones((2, here.w_dim), np.float32)
  np.testing.assert_array_equal(there.decode(w), here.decode(w))
  assert cli.main(['export', mlp, *words, far]) == 2
  verbs.alae('export', far, *words, tmp_path)
  assert names(tmp_path) == names(far)


def test_an_export_in_a_bucket_is_pushed_to_the_hub(bucket, hub, mlp):
  far = epath.Path(bucket) / 'pushed'
  words = ['export', mlp, '--format', 'safetensors', '--out', far]
  verbs.alae(*words, '--push', 'hf://ada/digits')
  for path in far.iterdir():
    assert hub.files('ada/digits')[path.name] == path.read_bytes()
