import dataclasses
import functools
import http.server
import json
import subprocess
import sys
import threading

import numpy as np
import PIL.Image
import pytest
from tensorflow_datasets.core.download import checksums

from alae_jax.data import datasets, images, prepare, remote
from alae_jax.data.preparing import downloads, levels, shards
from alae_jax.data.preparing.catalogue import DATASETS
from alae_jax.errors import UserError
from tests.support.example_data import (
  SHARED,
  bytes_of,
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


def test_broken_files_stop_it_by_name_and_make_nothing(tmp_path, capsys):
  write_images(tmp_path / 'pictures', count=6, side=8)
  for name in ('01', '03'):
    broken = tmp_path / 'pictures' / f'{name}.png'
    broken.write_bytes(broken.read_bytes()[:150])
  run = functools.partial(
    prepare.prepare, 'pictures', tmp_path / 'pictures', tmp_path
  )
  with pytest.raises(UserError, match=r'2 of 6 images .* 01\.png: .*truncated'):
    run()
  assert '03.png: ' in capsys.readouterr().err
  assert not datasets.available('pictures', tmp_path)
  run(bad_files='skip')
  assert len(datasets.open_dataset('pictures', tmp_path, 'train', 8)) == 4
  skipped = (tmp_path / 'pictures' / 'skipped.txt').read_text()
  assert [line.split('\t')[0] for line in skipped.splitlines()] == [
    '01.png',
    '03.png',
  ]
  assert not (tmp_path / 'pictures.unfinished').exists()


@pytest.fixture
def small_steps(monkeypatch):
  """Shards of eight images and pieces of two."""
  monkeypatch.setattr(shards, '_MOST_IN_SHARD', 8)
  monkeypatch.setattr(shards, '_MOST_IN_PIECE', 2)


def _interrupt_after(monkeypatch, pieces):
  """Ctrl-C amid the piece after so many."""
  make_piece = shards.make_piece
  made = []

  def interrupted(recipe, task):
    if len(made) >= pieces:
      raise KeyboardInterrupt
    made.append(task)
    return make_piece(recipe, task)

  monkeypatch.setattr(shards, 'make_piece', interrupted)
  return made


def _count_encoded(monkeypatch):
  encode_png = images.encode_png
  encoded = []

  def counted(image):
    encoded.append(image)
    return encode_png(image)

  monkeypatch.setattr(images, 'encode_png', counted)
  return encoded


@pytest.mark.parametrize('pieces', [0, 1, 3, 9, 15])
def test_who_was_interrupted_goes_on_where_it_was(
  tmp_path, monkeypatch, small_steps, pieces
):
  write_images(tmp_path / 'pictures', count=40, side=8)
  run = functools.partial(prepare.prepare, 'pictures', tmp_path / 'pictures')
  run(tmp_path / 'undisturbed')
  with monkeypatch.context() as patch:
    _interrupt_after(patch, pieces)
    with pytest.raises(KeyboardInterrupt):
      run(tmp_path / 'data')
  assert not datasets.available('pictures', tmp_path / 'data')
  with monkeypatch.context() as patch:
    encoded = _count_encoded(patch)
    run(tmp_path / 'data')
  assert not (tmp_path / 'data' / 'pictures.unfinished').exists()
  # Two images a piece, at two levels; what is there is not made again.
  assert len(encoded) == 2 * (40 - 2 * pieces)
  assert bytes_of(tmp_path / 'data') == bytes_of(tmp_path / 'undisturbed')


def test_a_split_of_many_shards_reads_in_order(tmp_path, small_steps):
  wanted = write_images(tmp_path / 'pictures', count=21, side=8)
  prepare.prepare('pictures', tmp_path / 'pictures', tmp_path, test_images=0)
  folder = datasets.available('pictures', tmp_path)[8]
  assert len(list(folder.glob('*.array_record-*-of-00003'))) == 3
  got = _arrays('pictures', tmp_path, 'train', 8)['image']
  np.testing.assert_array_equal(got, wanted)


def test_processes_make_the_same_bytes(tmp_path, small_steps):
  """Their pieces and shards are larger: the constants are this process's."""
  write_images(tmp_path / 'pictures', count=30, side=8)
  for name, workers in (('one', 1), ('two', 2)):
    prepare.prepare(
      'pictures', tmp_path / 'pictures', tmp_path / name, workers=workers
    )
  assert bytes_of(tmp_path / 'one') == bytes_of(tmp_path / 'two')


@pytest.mark.parametrize('where', ['levels', 'move'])
def test_a_kill_amid_the_last_steps_loses_nothing(
  tmp_path, monkeypatch, small_steps, where
):
  write_images(tmp_path / 'pictures', count=20, side=8)
  run = functools.partial(prepare.prepare, 'pictures', tmp_path / 'pictures')
  run(tmp_path / 'undisturbed')
  module, name = {
    'levels': (levels, 'assemble'), 'move': (remote, 'move'),
  }[where]  # fmt: skip
  step, calls = getattr(module, name), []

  def killed(*arguments):
    calls.append(arguments)
    if len(calls) == 2:
      raise KeyboardInterrupt
    return step(*arguments)

  with monkeypatch.context() as patch:
    patch.setattr(module, name, killed)
    with pytest.raises(KeyboardInterrupt):
      run(tmp_path / 'data')
    patch.setattr(shards, 'make_piece', None)  # nothing is made once more
    patch.setattr(module, name, step)
    run(tmp_path / 'data')
  assert bytes_of(tmp_path / 'data') == bytes_of(tmp_path / 'undisturbed')


def test_what_was_begun_with_other_images_is_not_taken_up(
  tmp_path, monkeypatch, small_steps
):
  write_images(tmp_path / 'pictures', count=8, side=8)
  with monkeypatch.context() as patch:
    _interrupt_after(patch, 3)
    with pytest.raises(KeyboardInterrupt):
      prepare.prepare('pictures', tmp_path / 'pictures', tmp_path)
  wanted = write_images(tmp_path / 'pictures', count=7, side=8, seed=1)
  (tmp_path / 'pictures' / '07.png').unlink()
  prepare.prepare('pictures', tmp_path / 'pictures', tmp_path, test_images=0)
  got = _arrays('pictures', tmp_path, 'train', 8)['image']
  np.testing.assert_array_equal(got, wanted)


def test_two_at_once_do_not_mix(tmp_path, monkeypatch):
  write_images(tmp_path / 'pictures', count=8, side=8)
  run = functools.partial(
    prepare.prepare, 'pictures', tmp_path / 'pictures', tmp_path
  )
  make_piece = shards.make_piece

  def meanwhile(recipe, task):
    with pytest.raises(UserError, match="another process is preparing 'pict"):
      run()
    return make_piece(recipe, task)

  monkeypatch.setattr(shards, 'make_piece', meanwhile)
  run()
  assert set(datasets.available('pictures', tmp_path)) == {8, 4}


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
    ({'name': 'cats', 'source': 'absent'}, 'absent: no such file or folder'),
    ({'name': 'ffhq'}, r"source is missing.*'ffhq'.*images1024x1024"),
    ({'name': 'cats', 'format': 'rar'}, "format 'rar': use one of tfds, idx"),
    ({'name': 'cats', 'fit': 'x'}, "fit 'x': use one of crop, pad, stretch"),
    ({'name': 'cats', 'bad_files': 'x'}, "bad_files 'x': use one of fail, sk"),
    ({'name': 'cats', 'max_images': 0}, 'max_images 0: use 1 or more'),
    ({'name': 'cats', 'depth_range': (9, 9)}, 'depth_range 9,9: use two'),
    ({'name': 'celeba', 'fit': 'pad'}, 'fit pad: celeba has a window'),
    ({'name': 'ffhq', 'resolution': 64}, 'resolution 64: FFHQ is made at 1024'),
    ({'name': 'cats', 'resolution': 100}, 'resolution 100: use one of'),
    ({'name': 'cats', 'channels': 4}, 'channels 4'),
    ({'name': 'cats', 'test_images': 1.5}, 'test_images 1.5'),
    ({'name': 'cats', 'test_images': -1}, 'test_images -1'),
    ({'name': 'mnist', 'resolution': 64}, 'MNIST is made at 28, or 32'),
    ({'name': 'mnist', 'channels': 3}, 'leave out'),
    ({'name': 'mnist', 'source': 'absent'}, 'absent: no such file or'),
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
  for folder, message in (('empty', 'no images'), ('lmdb', 'damaged LMDB')):
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
    _serve_mnist(monkeypatch, f'http://127.0.0.1:{server.server_port}/')
    known = tmp_path / 'checksums.tsv'
    urls = {url.rpartition('/')[2]: url for url in DATASETS['mnist'].urls}
    checksums.save_url_infos(
      known,
      {
        urls[path.name]: checksums.compute_url_info(path)
        for path in folder.iterdir()
      },
    )
    monkeypatch.setattr(downloads, '_CHECKSUMS', known)
    yield folder
    server.shutdown()
    thread.join()


def _serve_mnist(monkeypatch, address):
  mnist = DATASETS['mnist']
  urls = tuple(address + url.rpartition('/')[2] for url in mnist.urls)
  served = dataclasses.replace(mnist, urls=urls)
  monkeypatch.setitem(DATASETS, 'mnist', served)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
  monkeypatch.setenv('ALAE_CACHE', str(tmp_path / 'cache'))


class _Quiet(http.server.SimpleHTTPRequestHandler):
  def log_message(self, *_):
    pass


def test_mnist_is_downloaded_and_checked(tmp_path, mirror):
  prepare.prepare('mnist', data_dir=tmp_path / 'data')
  assert len(datasets.open_dataset('mnist', tmp_path / 'data', 'test', 28)) == 3
  for path in mirror.iterdir():  # they are there for the next time
    path.unlink()
  prepare.prepare('mnist', data_dir=tmp_path / 'data', resolution=32)


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


def test_a_download_with_another_checksum_is_refused(tmp_path, mirror):
  path = mirror / 't10k-labels-idx1-ubyte.gz'
  path.write_bytes(path.read_bytes() + b'x')
  with pytest.raises(UserError, match='not the published file'):
    prepare.prepare('mnist', data_dir=tmp_path)
  assert not datasets.available('mnist', tmp_path)


def test_offline_it_says_how_to_go_on(tmp_path, monkeypatch):
  _serve_mnist(monkeypatch, 'http://127.0.0.1:9/')
  with pytest.raises(UserError, match=r'cannot download mnist.*source'):
    prepare.prepare('mnist', data_dir=tmp_path)


def test_every_public_file_has_a_checksum():
  infos = checksums.load_url_infos(downloads._CHECKSUMS)
  urls = [url for known in DATASETS.values() for url in known.urls]
  assert len(urls) == 8
  assert all(len(infos[url].checksum) == 64 for url in urls)


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
  assert not datasets.available('faces', tmp_path / 'data')
  assert not list((tmp_path / 'data').rglob('*partial'))
  assert [path.parent.name for path in prepare.prepare(*words)] == [
    '32',
    '16',
    '8',
    '4',
  ]
