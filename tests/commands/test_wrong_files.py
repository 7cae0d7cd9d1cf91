"""Wrong labels, directions, images and runs, as files that are really there."""

import os
import shutil
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from alae_jax import cli
from tests.support.verbs import names

DIRECTIONS = 'directions mlp --method labels --out out --labels photos/x.csv'
TRAVERSE = 'traverse mlp 1 --out out --direction x.npy'

ROWS = '00.png,1\n01.png,0\n02.png,1\n03.png,0\n'
LABELS = {
  # No header, or another kind of table.
  '': 'must have a header',
  '\n\n': 'must have a header',
  'file\n00.png\n': 'must have a header',
  'file,smile\n': 'must have a header',
  ROWS: 'line 1 names the image 00.png',
  '\ufeff' + ROWS: 'line 1 names the image 00.png',
  'gone.JPG,1\n' + ROWS: 'line 1 names the image gone.JPG',
  'file;smile\n00.png;1\n': 'semicolons',
  'file\tsmile\n00.png\t1\n': 'tabs',
  'file,\n' + ROWS: 'column 2 has no name',
  ',smile\n' + ROWS: 'column 1 has no name',
  'file,smile,smile\n00.png,1,2\n': "'smile' twice",
  'file,smile, smile \n00.png,1,2\n': "'smile' twice",
  # Rows.
  'file,smile\n00.png\n': 'line 2 has 1 fields',
  'file,smile\n00.png,1,2\n': 'line 2 has 3 fields',
  'file,smile\n00.png,1\n\n01.png\n': 'line 4 has 1 fields',
  'file,smile\n00.png,\n': 'line 2: smile is blank',
  'file,smile\n00.png,1\n01.png,  \n': 'line 3: smile is blank',
  'file,smile\n,1\n': 'line 2: file is blank',
  'file,smile\n' + ROWS + '00.png,1\n': 'line 6 names 00.png again',
  'file,smile\n' + ROWS + './00.png,1\n': 'line 6 names ./00.png again',
  'file,smile\n00.png,"1\n': 'line 2',
  'file,smile\n"00.png"x,1\n': 'line 2',
  'file,smile\n00.png,1\ngone.png,0\n': 'line 3: ',
  'file,smile\n00.png,1\nhttp://x/y.png,0\n': 'line 3: ',
  'file,smile\n00.png,1\na\0b.png,0\n': 'line 3: ',
  'file,smile\n00.png,1\n' + 'x' * 300 + ',0\n': 'line 3: ',
  'file,smile\n' + ROWS.replace('00.png', '.'): 'is a folder',
  'file,smile\n' + ROWS.replace('00.png', '../pipe'): 'is a pipe',
  'file,smile\n' + ROWS.replace('00.png', 'x.csv'): 'is not an image',
  # Values.
  'file,smile\n00.png,1\n01.png,1\n': "every smile is '1'",
  'file,smile\n' + ROWS.replace('03.png,0', '03.png,2'): 'a single image',
  'file,smile\n00.png,0.1\n01.png,0.7\n02.png,0.5\n03.png,0.9\n': 'classes',
  'file,smile\n00.png,nan\n01.png,1\n02.png,0\n03.png,0\n': 'classes',
  f'file,{"x" * 300}\n{ROWS}': 'too long',
  'file,a b,a?b\n00.png,1,1\n01.png,0,0\n02.png,1,0\n03.png,0,1\n': 'rename',
}  # fmt: skip


@pytest.mark.parametrize(('text', 'said'), list(LABELS.items()))
def test_wrong_labels(wrong, text, said):
  with open('photos/x.csv', 'w', newline='') as file:
    file.write(text)
  assert said in wrong(*DIRECTIONS.split())


@pytest.mark.parametrize(
  'content',
  [
    'file,smile\n'.encode('utf-16'),
    'file,smile\n'.encode('utf-16-le') + b'\xff',
    'file,Größe\n'.encode('latin-1'),
    b'\x89PNG\r\n\x1a\n' + bytes(range(256)),
    b'\xff',
  ],
)
def test_labels_in_other_encodings(wrong, content):
  with open('photos/x.csv', 'wb') as file:
    file.write(content)
  assert 'UTF-8' in wrong(*DIRECTIONS.split())


def test_labels_as_spreadsheets_write_them(place, monkeypatch, capsys):
  monkeypatch.chdir(place)
  with open('photos/x.csv', 'w', encoding='utf-8-sig', newline='') as file:
    file.write('"file","smile"\r\n' + ROWS.replace('\n', '\r\n'))
  assert cli.main([*DIRECTIONS.split(), '--overwrite']) == 0
  assert 'fewer than 10 images of a class: smile' in capsys.readouterr().err
  assert 'direction_smile.npy' in names(place / 'out')
  shutil.rmtree('out')


def header(text):
  """An NPY file with a header of one's own and 48 bytes after it."""
  text = text.encode() + b'\n'
  size = len(text).to_bytes(2, 'little')
  return b'\x93NUMPY\x01\x00' + size + text + bytes(48)


ARRAYS = {
  'complex': (np.ones(6, complex), 'complex128'),
  'boolean': (np.ones(6, bool), 'bool'),
  'text': (np.array(['a'] * 6), '<U1'),
  'bytes': (np.array([b'a'] * 6), '|S1'),
  'dates': (np.zeros(6, 'M8[s]'), 'datetime64'),
  'structured': (np.zeros(6, [('a', 'f4'), ('b', 'f4')]), 'holds ['),
  'objects': (np.array([None] * 6), 'cannot be read'),
  'number': (np.array(1.0), 'has 1 numbers'),
  'none': (np.zeros(0), 'has 0 numbers'),
  'few': (np.ones(5), 'has 5 numbers'),
  'many': (np.ones(7), 'has 7 numbers'),
  'matrix': (np.ones((6, 6)), 'has 36 numbers'),
  'zero': (np.zeros(6), 'is zero'),
  'nan': (np.full(6, np.nan), 'not finite'),
  'one nan': (np.array([1, 1, 1, 1, 1, np.nan]), 'not finite'),
  'inf': (np.array([1, 1, 1, 1, 1, -np.inf]), 'not finite'),
  'large': (np.full(6, 1e300), 'beyond 1e+06'),
  'large int': (np.full(6, 2**62), 'beyond 1e+06'),
}
BYTES = {
  'empty': b'',
  'text': b'1 2 3 4 5 6\n',
  'magic': b'\x93NUMPY',
  'version': b'\x93NUMPY\x09\x00\x10\x00' + bytes(64),
  'no dict': header('[1, 2]'),
  'no shape': header("{'descr': '<f8', 'fortran_order': False}"),
  'no type': header("{'descr': 'zz', 'fortran_order': 0, 'shape': (6,)}"),
  'negative': header("{'descr': '<f8', 'fortran_order': 0, 'shape': (-6,)}"),
  'huge': header(
    "{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,), }"
  ),
  'huge 2': header(
    "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999,)*9, }"
  ),
  'zip': b'PK\x03\x04' + bytes(40),
  'pickle': b'\x80\x04K\x01.',
}  # fmt: skip


@pytest.mark.parametrize('name', ARRAYS)
def test_wrong_arrays(wrong, name):
  array, said = ARRAYS[name]
  np.save('x.npy', array)
  assert said in wrong(*TRAVERSE.split())


@pytest.mark.parametrize('name', BYTES)
def test_what_is_no_array(wrong, name):
  with open('x.npy', 'wb') as file:
    file.write(BYTES[name])
  assert 'cannot be read as an NPY file' in wrong(*TRAVERSE.split())


@pytest.mark.parametrize(
  'array', [np.arange(6), np.ones((1, 6), '>f4'), np.ones((6, 1), order='F')]
)
def test_real_numbers_of_any_kind_are_a_direction(place, monkeypatch, array):
  monkeypatch.chdir(place)
  np.save('x.npy', array)
  assert cli.main([*TRAVERSE.split(), '--steps', '2']) == 0
  shutil.rmtree('out')


def png(width, height):
  """A PNG's header, which promises pixels that are not there."""

  def chunk(kind, content):
    check = zlib.crc32(kind + content).to_bytes(4, 'big')
    return len(content).to_bytes(4, 'big') + kind + content + check

  sides = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
  return (
    b'\x89PNG\r\n\x1a\n'
    + chunk(b'IHDR', sides + b'\x08\x02\x00\x00\x00')
    + chunk(b'IDAT', zlib.compress(bytes(100)))
    + chunk(b'IEND', b'')
  )


def encoded(kind):
  """An image's whole file."""
  rng = np.random.default_rng(0)
  image = Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8))
  image.save('whole', kind)
  with open('whole', 'rb') as file:
    content = file.read()
  os.remove('whole')
  return content


IMAGES = {
  'nothing': lambda: b'',
  'text': lambda: b'hello\n',
  'html': lambda: b'<!DOCTYPE html><html></html>',
  'cut png': lambda: encoded('PNG')[:200],
  'cut jpeg': lambda: encoded('JPEG')[:300],
  'cut gif': lambda: encoded('GIF')[:100],
  'cut tiff': lambda: encoded('TIFF')[:60],
  'cut webp': lambda: encoded('WEBP')[:60],
  'cut bmp': lambda: encoded('BMP')[:60],
  'png magic': lambda: b'\x89PNG\r\n\x1a\n',
  'jpeg magic': lambda: b'\xff\xd8\xff\xe0',
  'bomb': lambda: png(100_000, 100_000),
  'large': lambda: png(10_000, 10_000),
  'no width': lambda: png(0, 10),
  'zip': lambda: b'PK\x03\x04' + bytes(40),
  'float tiff': lambda: float_tiff(),
}


def float_tiff():
  Image.fromarray(np.ones((4, 4), np.float32)).save('whole', 'TIFF')
  with open('whole', 'rb') as file:
    content = file.read()
  os.remove('whole')
  return content


@pytest.mark.parametrize('name', IMAGES)
@pytest.mark.parametrize(
  'command',
  [
    'reconstruct mlp x.png --out out',
    'reconstruct mlp photos odd --out out',
    'interpolate mlp 1 x.png --out out',
    'prepare x --source odd --data_dir out --resolution 4',
    'prepare x --source odd --data_dir out',
  ],
)
def test_wrong_images(wrong, name, command):
  os.makedirs('odd', exist_ok=True)
  for path in ('x.png', 'odd/x.png'):
    with open(path, 'wb') as file:
      file.write(IMAGES[name]())
  assert 'x.png' in wrong(*command.split())


def photograph(mode, size=(40, 30)):
  return Image.fromarray(np.full((*size[::-1], 3), 200, np.uint8)).convert(mode)


def test_images_of_every_kind_are_taken(place, monkeypatch, capsys, tmp_path):
  monkeypatch.chdir(place)
  odd = tmp_path
  for mode, ending in (
    ('CMYK', 'jpg'),
    ('L', 'png'),
    ('P', 'png'),
    ('1', 'png'),
    ('LA', 'png'),
    ('RGBA', 'webp'),
    ('I;16', 'png'),
  ):
    image = photograph('L' if mode == 'I;16' else mode).convert(mode)
    image.save(odd / f'{mode[0]}.{ending}')
  photograph('RGB', (1, 1)).save(odd / 'dot.png')
  photograph('RGB', (1, 10_000)).save(odd / 'line.png')
  photograph('RGB').save(odd / 'misnamed.png', 'JPEG')
  photograph('RGB').save(
    odd / 'film.gif', save_all=True, append_images=[photograph('L')]
  )
  turned = Image.Exif()
  turned[0x0112] = 6
  photograph('RGB').save(odd / 'turned.jpg', exif=turned)
  twice = str(odd / 'dot.png')
  assert cli.main(['reconstruct', 'mlp', str(odd), twice, '--out', 'out']) == 0
  assert len(names(place / 'out')) == len(names(odd)) + 1 + 2
  shutil.rmtree('out')


RUNS = {
  'nothing': b'',
  'cut': b'{"data": {"name": "dig',
  'array': b'[1, 2]',
  'number': b'3',
  'null': b'null',
  'no section': b'{"date": {"x": 1}}',
  'no field': b'{"data": {"nane": "x"}}',
  'section': b'{"data": 3}',
  'latin': '{"data": {"name": "ß"}}'.encode('latin-1'),
  'utf-16': '{"data": {"name": "x"}}'.encode('utf-16'),
  'binary': bytes(range(256)),
}
READERS = {
  'generate': 'generate run --seeds 1 --out out',
  'evaluate': 'evaluate run --metrics probe',
  'export': 'export run --format release --out out',
  'train': 'train --config digits.py --workdir run',
}


@pytest.fixture
def run(place):
  folder = place / 'run'
  shutil.copytree(place / 'mlp', folder)
  yield folder
  shutil.rmtree(folder)


@pytest.mark.parametrize('command', READERS.values(), ids=READERS)
@pytest.mark.parametrize('name', RUNS)
def test_a_config_that_is_none(wrong, run, name, command):
  (run / 'config.json').write_bytes(RUNS[name])
  assert 'config.json' in wrong(*command.split())


@pytest.mark.parametrize('command', READERS.values(), ids=READERS)
@pytest.mark.parametrize('made', ['folder', 'pipe'])
def test_a_config_that_is_no_file(wrong, run, made, command):
  config = run / 'config.json'
  config.unlink()
  config.mkdir() if made == 'folder' else os.mkfifo(config)
  assert f'config.json is a {made}' in wrong(*command.split())


@pytest.mark.parametrize('verb', ['generate', 'evaluate', 'export'])
@pytest.mark.parametrize(
  ('workdir', 'said'),
  [
    ('mlp/checkpoints', 'has: give that'),
    ('mlp/checkpoints/16', 'has: give that'),
    ('mlp/config.json', 'it is a file'),
    ('photos', 'it has no config.json'),
    ('mlp/../missing', 'there is no such folder'),
  ],
)
def test_what_is_taken_for_a_run(wrong, verb, workdir, said):
  words = READERS[verb].split()
  assert said in wrong(words[0], workdir, *words[2:])


@pytest.mark.parametrize('verb', ['generate', 'evaluate'])
def test_a_run_without_a_checkpoint(wrong, run, verb):
  shutil.rmtree(run / 'checkpoints')
  assert 'no checkpoint' in wrong(*READERS[verb].split())


# As processes: what a terminal or a script gets to see.

ALAE = [sys.executable, '-W', 'default', '-m', 'alae_jax']


@pytest.mark.parametrize(
  ('words', 'said'),
  [
    (['reconstruct', 'mlp', b'pipe', '--out', 'out'], b'pipe is a pipe'),
    (
      ['reconstruct', 'mlp', b'no\xff\x1b[2J', '--out', 'out'],
      rb'no\udcff\x1b',
    ),
    (['reconstruct', 'mlp', b'large.png', '--out', 'out'], b'large.png'),
    (['generate', 'mlp', '--seeds', '0-4294967295', '--out', 'out'], b'seeds'),
    (['--verison'], b'--version'),
  ],
)
def test_a_process_tells_in_one_line(place, words, said):
  (place / 'large.png').write_bytes(png(10_000, 10_000))
  done = subprocess.run(
    [*ALAE, *words],
    cwd=place,
    env=os.environ | {'PYTHONPATH': os.getcwd(), 'PYTHONWARNINGS': ''},
    stdin=subprocess.DEVNULL,
    capture_output=True,
    timeout=60,
  )
  assert (done.returncode, done.stdout) == (2, b'')
  # On a slow machine it says before what takes long: 'loading mlp ...'
  told = [
    line for line in done.stderr.splitlines() if not line.endswith(b' ...')
  ]
  assert len(told) == 1
  assert b'alae' in told[0] and said in told[0]
  assert not (place / 'out').exists()
