import functools
import http.server
import json
import subprocess
import sys
import threading

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import checksums

from alae_jax.data import builders, datasets, images, prepare
from alae_jax.errors import UserError
from tests.support.example_data import (
  SHARED,
  random_mnist,
  write_images,
  write_mnist,
)
from tests.support.full_disk import room


def _arrays(name, data_dir, split, resolution):
  source = datasets.open_dataset(name, data_dir, split, resolution)
  return source.batch(range(len(source)))


def _padded(image, resolution):
  full = np.pad(image, ((2, 2), (2, 2)))[..., None]
  return images.box_average(full, resolution)


def test_mnist_as_published(tmp_path):
  data = random_mnist()
  write_mnist(tmp_path / 'idx', data)
  made = prepare.prepare('mnist', tmp_path / 'idx', tmp_path / 'data')
  assert made == [tmp_path / 'data' / 'mnist' / '28' / '1.0.0']
  for split in ('train', 'test'):
    got = _arrays('mnist', tmp_path / 'data', split, 28)
    np.testing.assert_array_equal(got['image'][..., 0], data[split]['image'])
    np.testing.assert_array_equal(got['label'], data[split]['label'])
  assert sorted(p.name for p in (tmp_path / 'data').iterdir()) == ['mnist']


def test_mnist_padded_to_32_and_its_levels(tmp_path):
  data = random_mnist(train=12, test=3)
  write_mnist(tmp_path / 'idx', data, zipped=False)
  prepare.prepare('fashion_mnist', tmp_path / 'idx', tmp_path, resolution=32)
  assert set(datasets.available('fashion_mnist', tmp_path)) == {32, 16, 8, 4}
  for resolution in (32, 16, 8, 4):
    got = _arrays('fashion_mnist', tmp_path, 'train', resolution)
    wanted = [_padded(image, resolution) for image in data['train']['image']]
    np.testing.assert_array_equal(got['image'], wanted)
    np.testing.assert_array_equal(got['label'], data['train']['label'])


def test_both_forms_of_mnist_live_together(tmp_path):
  write_mnist(tmp_path / 'idx', random_mnist(train=4, test=2))
  for resolution in (28, 32, None):
    prepare.prepare('mnist', tmp_path / 'idx', tmp_path, resolution)
  assert set(datasets.available('mnist', tmp_path)) == {28, 32, 16, 8, 4}


def test_our_mnist_is_not_in_tfds_registry():
  assert tfds.builder_cls('mnist') is not builders.Mnist


def test_a_folder_of_images(tmp_path):
  """Every level, in order, at every resolution, split by a hash of names."""
  wanted = write_images(tmp_path / 'pictures', count=20, side=16)
  prepare.prepare('pictures', tmp_path / 'pictures', tmp_path, test_images=0.25)
  for resolution in (16, 8, 4):
    level = [images.box_average(image, resolution) for image in wanted]
    got = {
      split: _arrays('pictures', tmp_path, split, resolution)['image']
      for split in ('train', 'test')
    }
    assert [len(got['train']), len(got['test'])] == [15, 5]
    _assert_ordered_partition(level, got)


def _assert_ordered_partition(wanted, got):
  names = {image.tobytes(): i for i, image in enumerate(wanted)}
  order = {s: [names[i.tobytes()] for i in got[s]] for s in got}
  assert all(o == sorted(o) for o in order.values())
  assert sorted([*order['train'], *order['test']]) == list(range(len(wanted)))


def test_the_split_is_the_same_at_every_level_and_time(tmp_path):
  write_images(tmp_path / 'pictures', count=12, side=8)
  for name in ('one', 'two'):
    prepare.prepare(name, tmp_path / 'pictures', tmp_path, test_images=5)
  one, two = (_arrays(n, tmp_path, 'test', 8)['image'] for n in ('one', 'two'))
  np.testing.assert_array_equal(one, two)
  assert len(one) == 5


def test_all_sorts_of_images_in_one_folder(tmp_path):
  folder = tmp_path / 'mixed'
  (folder / 'deep' / 'deeper').mkdir(parents=True)
  (folder / '.hidden').mkdir()
  PIL.Image.new('L', (20, 9), 50).save(folder / 'a.png')
  PIL.Image.new('RGBA', (9, 30), (1, 2, 3, 255)).save(folder / 'deep' / 'b.PNG')
  PIL.Image.new('CMYK', (16, 16)).save(folder / 'deep' / 'deeper' / 'c.jpg')
  PIL.Image.new('RGB', (16, 16)).save(folder / '.hidden' / 'd.png')
  (folder / 'notes.txt').write_text('not an image')
  prepare.prepare('mixed', folder, tmp_path, test_images=0, channels=1)
  got = _arrays('mixed', tmp_path, 'train', 8)['image']  # 9 >= 8
  assert got.shape == (3, 8, 8, 1)
  np.testing.assert_array_equal(got[:, 0, 0, 0], [50, 2, 255])
  with pytest.raises(UserError, match='no test images, only train'):
    datasets.open_dataset('mixed', tmp_path, 'test', 8)


def test_a_broken_file_stops_it_by_name_and_leaves_nothing(tmp_path):
  write_images(tmp_path / 'pictures', count=6, side=8)
  broken = tmp_path / 'pictures' / '03.png'
  broken.write_bytes(broken.read_bytes()[:150])
  with pytest.raises(UserError, match=r'cannot read .*03\.png'):
    prepare.prepare('pictures', tmp_path / 'pictures', tmp_path)
  assert not datasets.available('pictures', tmp_path)


def _interrupt_at(monkeypatch, resolution, image):
  encode = builders.ResolutionBuilder._encode

  def interrupted(self, split, index):
    if self.resolution == resolution and index == image:
      raise KeyboardInterrupt
    return encode(self, split, index)

  monkeypatch.setattr(builders.ResolutionBuilder, '_encode', interrupted)


def test_an_interruption_leaves_nothing_that_reads_as_whole(
  tmp_path, monkeypatch
):
  write_images(tmp_path / 'pictures', count=40, side=8)
  run = functools.partial(
    prepare.prepare, 'pictures', tmp_path / 'pictures', tmp_path
  )
  with monkeypatch.context() as patch:
    _interrupt_at(patch, resolution=4, image=7)
    with pytest.raises(KeyboardInterrupt):
      run()
  assert not datasets.available('pictures', tmp_path)
  _interrupt_at(monkeypatch, resolution=8, image=0)  # already whole: not made
  run()
  assert set(datasets.available('pictures', tmp_path)) == {8, 4}
  assert not (tmp_path / 'pictures.unfinished').exists()


def test_levels_of_other_images_are_not_taken_up(tmp_path, monkeypatch):
  write_images(tmp_path / 'pictures', count=8, side=8)
  with monkeypatch.context() as patch:
    _interrupt_at(patch, resolution=4, image=0)
    with pytest.raises(KeyboardInterrupt):
      prepare.prepare('pictures', tmp_path / 'pictures', tmp_path)
  wanted = write_images(tmp_path / 'pictures', count=7, side=8, seed=1)
  (tmp_path / 'pictures' / '07.png').unlink()
  prepare.prepare('pictures', tmp_path / 'pictures', tmp_path, test_images=0)
  got = _arrays('pictures', tmp_path, 'train', 8)['image']
  np.testing.assert_array_equal(got, wanted)


def test_a_failed_overwrite_leaves_the_old_dataset(tmp_path):
  wanted = write_images(tmp_path / 'pictures', count=4, side=8)
  run = functools.partial(
    prepare.prepare, 'pictures', tmp_path / 'pictures', tmp_path, test_images=0
  )
  run()
  broken = tmp_path / 'pictures' / '02.png'
  broken.write_bytes(broken.read_bytes()[:150])
  with pytest.raises(UserError, match=r'02\.png'):
    run(overwrite=True)
  got = _arrays('pictures', tmp_path, 'train', 8)['image']
  np.testing.assert_array_equal(got, wanted)


def test_half_a_dataset_left_by_a_kill_does_not_count(tmp_path):
  write_mnist(tmp_path / 'idx', random_mnist(train=4, test=2))
  made = prepare.prepare('mnist', tmp_path / 'idx', tmp_path)[0]
  made.rename(made.with_name('incomplete.9G0PPW_1.0.0'))
  assert not datasets.available('mnist', tmp_path)


def test_what_is_there_is_not_overwritten_unasked(tmp_path):
  write_mnist(tmp_path / 'one', random_mnist(train=4, test=2, seed=1))
  write_mnist(tmp_path / 'two', random_mnist(train=5, test=2, seed=2))
  prepare.prepare('mnist', tmp_path / 'one', tmp_path)
  prepare.prepare('mnist', tmp_path / 'one', tmp_path)  # the same: no error
  with pytest.raises(UserError, match=r'28x28 already.*overwrite it'):
    prepare.prepare('mnist', tmp_path / 'two', tmp_path)
  assert len(datasets.open_dataset('mnist', tmp_path, 'train', 28)) == 4
  prepare.prepare('mnist', tmp_path / 'two', tmp_path, overwrite=True)
  assert len(datasets.open_dataset('mnist', tmp_path, 'train', 28)) == 5


def test_overwriting_leaves_no_level_of_the_old_pyramid(tmp_path):
  write_images(tmp_path / 'pictures', count=4, side=16)
  run = functools.partial(
    prepare.prepare, 'pictures', tmp_path / 'pictures', tmp_path
  )
  run(resolution=16)
  with pytest.raises(UserError, match='with other settings'):
    run(resolution=8)
  run(resolution=8, overwrite=True)
  assert set(datasets.available('pictures', tmp_path)) == {8, 4}


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ({'name': 'digits'}, 'built in'),
    ({'name': 'My Data'}, 'small letters'),
    ({'name': 'cats'}, "source is missing: dataset 'cats'"),
    ({'name': 'cats', 'source': 'absent'}, 'absent: no such folder'),
    ({'name': 'cats', 'source': 'cats.zip'}, 'a zip file.*yet'),
    ({'name': 'cats', 'resolution': 100}, 'resolution 100: use one of'),
    ({'name': 'cats', 'channels': 4}, 'channels 4'),
    ({'name': 'cats', 'test_images': 1.5}, 'test_images 1.5'),
    ({'name': 'cats', 'test_images': -1}, 'test_images -1'),
    ({'name': 'mnist', 'resolution': 64}, 'mnist is 28, or 32'),
    ({'name': 'mnist', 'channels': 3}, 'leave out'),
    ({'name': 'mnist', 'source': 'absent'}, 'absent: no such folder'),
  ],
)
def test_wrong_arguments_are_told_in_a_line(tmp_path, arguments, message):
  with pytest.raises(UserError, match=message) as caught:
    prepare.prepare(**arguments, data_dir=tmp_path)
  assert '\n' not in str(caught.value)


def test_wrong_folders_are_told_in_a_line(tmp_path):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'lmdb').mkdir()
  (tmp_path / 'lmdb' / 'data.mdb').touch()
  write_images(tmp_path / 'few', count=3)
  for folder, message in (('empty', 'holds no images'), ('lmdb', 'an LMDB')):
    with pytest.raises(UserError, match=message):
      prepare.prepare('cats', tmp_path / folder, tmp_path)
  with pytest.raises(UserError, match='test_images 3 of 3'):
    prepare.prepare('cats', tmp_path / 'few', tmp_path, test_images=3)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
  """A web server on this machine, with small files under MNIST's names."""
  folder = write_mnist(tmp_path / 'mirror', random_mnist(train=6, test=3))
  handler = functools.partial(_Quiet, directory=str(folder))
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f'http://127.0.0.1:{server.server_port}/'
    monkeypatch.setattr(builders.Mnist, 'url', url)
    yield folder
    server.shutdown()
    thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
  def log_message(self, *_):
    pass


def _checksums(folder):
  return {
    builders.Mnist.url + path.name: checksums.compute_url_info(path)
    for path in folder.iterdir()
  }


def test_mnist_is_downloaded_and_checked(tmp_path, monkeypatch, mirror):
  infos = _checksums(mirror)
  monkeypatch.setattr(builders.Mnist, 'url_infos', infos)
  prepare.prepare('mnist', data_dir=tmp_path)
  assert len(datasets.open_dataset('mnist', tmp_path, 'test', 28)) == 3


def test_a_download_does_not_replace_other_data_unasked(tmp_path, mirror):
  write_mnist(tmp_path / 'mine', random_mnist(train=9, test=2, seed=9))
  prepare.prepare('mnist', tmp_path / 'mine', tmp_path)
  with pytest.raises(UserError, match=r'28x28 already'):
    prepare.prepare('mnist', data_dir=tmp_path, resolution=32)
  assert set(datasets.available('mnist', tmp_path)) == {28}
  prepare.prepare('mnist', data_dir=tmp_path, resolution=32, overwrite=True)
  assert set(datasets.available('mnist', tmp_path)) == {32, 16, 8, 4}


def test_a_file_gone_from_the_mirror_is_told_in_a_line(tmp_path, mirror):
  (mirror / 't10k-labels-idx1-ubyte.gz').unlink()
  with pytest.raises(UserError, match=r'cannot download mnist.*source'):
    prepare.prepare('mnist', data_dir=tmp_path)


def test_a_download_with_another_checksum_is_refused(
  tmp_path, monkeypatch, mirror
):
  infos = _checksums(mirror)
  monkeypatch.setattr(builders.Mnist, 'url_infos', infos)
  path = mirror / 't10k-labels-idx1-ubyte.gz'
  path.write_bytes(path.read_bytes() + b'x')
  with pytest.raises(UserError, match='not the published file'):
    prepare.prepare('mnist', data_dir=tmp_path)
  assert not datasets.available('mnist', tmp_path)


def test_offline_it_says_how_to_go_on(tmp_path, monkeypatch):
  monkeypatch.setattr(builders.Mnist, 'url', 'http://127.0.0.1:9/')
  with pytest.raises(UserError, match=r'cannot download mnist.*source'):
    prepare.prepare('mnist', data_dir=tmp_path)


def test_every_public_file_has_a_checksum():
  for builder in (builders.Mnist, builders.FashionMnist):
    urls = [u for u in builder.url_infos if u.startswith(builder.url)]
    assert len(urls) == 4
    assert all(len(builder.url_infos[url].checksum) == 64 for url in urls)


_WITHOUT_TENSORFLOW = """
import importlib.machinery, json, sys

PathFinder = importlib.machinery.PathFinder
find_spec = PathFinder.find_spec

def find_other(name, *args):
  return None if name.startswith('tensorflow.') or name == 'tensorflow' else (
    find_spec(name, *args))

PathFinder.find_spec = find_other
from alae_jax.data import datasets, pipeline, prepare
folder, data_dir = sys.argv[1:]
prepare.prepare('pictures', folder, data_dir)
source = datasets.open_dataset('pictures', data_dir, 'train', 4)
batches = pipeline.train_batches(source, 0, 4)
print(json.dumps(next(batches)['image'].shape))
batches.close()
assert 'tensorflow' not in sys.modules
"""


def test_it_works_with_tensorflow_out_of_reach(tmp_path):
  write_images(tmp_path / 'pictures', count=10, side=8)
  done = subprocess.run(
    [
      sys.executable, '-W', 'error', '-c', _WITHOUT_TENSORFLOW,
      str(tmp_path / 'pictures'), str(tmp_path),
    ],
    capture_output=True, text=True, check=False,
  )  # fmt: skip
  assert done.returncode == 0, done.stderr
  assert json.loads(done.stdout) == [4, 4, 4, 3]


@pytest.mark.skipif(not (SHARED / 'faces128').is_dir(), reason='no faces here')
def test_real_faces(tmp_path):
  prepare.prepare('faces', SHARED / 'faces128', tmp_path, test_images=16)
  assert set(datasets.available('faces', tmp_path)) == {128, 64, 32, 16, 8, 4}
  full = _arrays('faces', tmp_path, 'test', 128)['image']
  assert full.shape == (16, 128, 128, 3)
  small = _arrays('faces', tmp_path, 'test', 4)['image']
  wanted = full.reshape(16, 4, 32, 4, 32, 3).mean((2, 4))
  assert np.abs(small - wanted).max() <= 0.5


@pytest.mark.parametrize('size', [2000, 20_000])
def test_a_full_disk_leaves_what_was_there(tmp_path, size):
  write_images(tmp_path / 'photos', 10, side=32)
  words = ('faces', tmp_path / 'photos', tmp_path / 'data')
  with room(size), pytest.raises(OSError, match='there before is whole') as no:
    prepare.prepare(*words)
  assert no.value.filename == str(tmp_path / 'data')
  assert not (tmp_path / 'data').exists()
  assert [path.parent.name for path in prepare.prepare(*words)] == [
    '32',
    '16',
    '8',
    '4',
  ]
