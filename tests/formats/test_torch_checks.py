"""Damaged files, and small files that ask for much memory."""

import collections
import pathlib
import subprocess
import sys
import zipfile

import pytest

from alae_jax.errors import UserError
from alae_jax.formats import torch_file
from alae_jax.formats.release_file import read_release_checkpoint
from tests.support import release_checkpoints as checkpoints
from tests.support.runs import assert_identical

torch = pytest.importorskip('torch')


def refuse(path):
  """The one line that a file is refused with."""
  with pytest.raises(UserError) as caught:
    read_release_checkpoint(str(path))
  message = str(caught.value)
  assert '\n' not in message and message.startswith(str(path))
  return message


def flip(path, position, bit=0):
  """Changes a bit of a file."""
  content = bytearray(path.read_bytes())
  content[position] ^= 1 << bit
  path.write_bytes(content)


def test_a_flipped_bit_of_a_tensor_is_told_and_the_tensor_named(tmp_path):
  number = 1234.56789  # to find the tensor by

  def mark(content):
    content['models']['generator']['const'][...] = number

  path = tmp_path / 'zip_0.pth'
  checkpoints.write(tmp_path, change=mark)
  wanted = torch.tensor(number, dtype=torch.float64).numpy().tobytes()
  flip(path, path.read_bytes().index(wanted))
  said = 'is damaged: the check sum of tensor generator/const is wrong: '
  assert said in refuse(path)


def test_a_flipped_bit_anywhere_is_told_or_changes_nothing(tmp_path):
  path = tmp_path / 'zip_0.pth'
  checkpoints.write(tmp_path)
  whole, release = path.read_bytes(), read_release_checkpoint(str(path))
  told = 0
  # Also the headers and the pickle at the start, and the list at the end.
  places = [*range(0, 4000, 211), *range(4000, len(whole), 4099)]
  places += range(len(whole) - 4000, len(whole), 211)
  for i, place in enumerate(places):
    path.write_bytes(whole)
    flip(path, place, i % 8)
    try:
      read = read_release_checkpoint(str(path))
    except UserError as error:
      assert str(path) in str(error)
      told += 1
    else:
      assert_identical(read.params, release.params)
      assert_identical(read.ema, release.ema)
  assert told > len(places) / 2


def rewrite(source, target, compression=zipfile.ZIP_STORED, change=None):
  """Copies a zip file entry by entry, changing their contents."""
  with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w') as new:
    for entry in old.infolist():
      content = old.read(entry)
      if change:
        content = change(entry.filename, content)
      new.writestr(entry.filename, content, compression)
  return target


def test_a_compressed_file_is_not_unpacked(tmp_path):
  path = rewrite(
    checkpoints.write(tmp_path), tmp_path / 'small.pth', zipfile.ZIP_DEFLATED
  )
  assert 'data.pkl is compressed, and is not unpacked' in refuse(path)


def test_parts_larger_than_the_file_are_refused(tmp_path):
  path = tmp_path / 'parts.pth'
  with zipfile.ZipFile(path, 'w') as file:
    file.writestr('x/data.pkl', b'')
    file.writestr('x/data/0', b'1234')
    for entry in file.filelist:
      entry.file_size = entry.compress_size = 1 << 40
  assert 'its parts are larger than the file' in refuse(path)


def test_a_program_is_told(tmp_path):
  path = tmp_path / 'program.pth'
  with zipfile.ZipFile(path, 'w') as file:
    file.writestr('x/data.pkl', b'')
    file.writestr('x/constants.pkl', b'')
  assert 'is a TorchScript program' in refuse(path)


@pytest.mark.parametrize('file_format', checkpoints.FORMATS)
@pytest.mark.parametrize('times', [10**5, 10**12, 2**59])
def test_a_tensor_larger_than_the_file_is_named(tmp_path, file_format, times):
  def expand(content):
    content['models']['generator']['const'] = torch.ones(1).expand(times, 2)

  path = checkpoints.write(tmp_path, file_format, expand)
  assert 'tensor generator/const would take' in refuse(path)


def test_many_tensors_that_share_their_numbers_are_refused(tmp_path):
  numbers = torch.ones(10_000)

  def repeat(content):
    for i in range(100):
      content['models']['generator'][f'copy_{i}'] = numbers[i:]

  path = checkpoints.write(tmp_path, change=repeat)
  assert 'or made to fill the memory: tensor generator/copy_' in refuse(path)


def test_a_live_model_may_be_its_own_average(tmp_path):
  def share(content):
    for name in ('discriminator', 'generator', 'mapping_tl', 'mapping_fl'):
      content['models'][name + '_s'] = content['models'][name]

  release = read_release_checkpoint(checkpoints.write(tmp_path, change=share))
  assert_identical(release.params, release.ema)


@pytest.mark.parametrize('file_format', checkpoints.FORMATS)
def test_a_bytearray_is_not_made(tmp_path, file_format):
  class Greedy:
    def __reduce__(self):
      return bytearray, (10**11,)

  content = {'models': collections.OrderedDict(), 'extra': Greedy()}
  path = checkpoints.save(content, tmp_path / 'greedy.pth', file_format)
  assert 'asks for a bytearray' in refuse(path)


LARGE = 1 << 26  # numbers; 256 MB


def claim_more(content):
  """Makes the storage of 16 numbers in a pickle say that it has LARGE."""
  assert content.count(b'cpuq\nK\x10') == 1
  return content.replace(
    b'cpuq\nK\x10', b'cpuq\nJ' + LARGE.to_bytes(4, 'little')
  )


def claim_alone(name, content):
  return claim_more(content) if name.endswith('data.pkl') else content


def claim_and_hold(name, content):
  return bytes(4 * LARGE) if name.endswith('/0') else claim_alone(name, content)


def small_files_that_claim_much(folder):
  """(a healthy file, those that are not)."""

  def save(name, tensor, file_format):
    content = {'models': {'generator': {'const': tensor}}}
    return checkpoints.save(content, folder / f'{name}.pth', file_format)

  healthy = save('healthy', torch.arange(16.0), 'zip')
  claims, packed = folder / 'claims.pth', folder / 'packed.pth'
  rewrite(healthy, claims, change=claim_alone)
  rewrite(healthy, packed, zipfile.ZIP_DEFLATED, claim_and_hold)
  large = torch.ones(1).expand(LARGE, 4)
  old_claims = folder / 'old_claims.pth'
  old = pathlib.Path(save('old', torch.arange(16.0), 'legacy'))
  old_claims.write_bytes(claim_more(old.read_bytes()))
  return healthy, [
    claims,
    packed,
    old_claims,
    save('expanded', large, 'zip'),
    save('old_expanded', large, 'legacy'),
  ]


def test_nothing_large_is_made_of_a_small_file(tmp_path):
  """Measured in a process of its own, whose memory has a peak."""
  healthy, paths = small_files_that_claim_much(tmp_path)
  script = (
    'import resource, sys\n'
    'from alae_jax.errors import UserError\n'
    'from alae_jax.formats import torch_file\n'
    'def peak():\n'
    '  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n'
    'torch_file.read(sys.argv[1])\n'
    'before = peak()\n'
    'for path in sys.argv[2:]:\n'
    '  try:\n'
    '    torch_file.read(path)\n'
    '    print("read", path)\n'
    '  except UserError as error:\n'
    '    print("refused", error, file=sys.stderr)\n'
    'print((peak() - before) // 1024)\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', script, healthy, *map(str, paths)],
    check=True,
    capture_output=True,
    text=True,
  )
  print(done.stderr)
  assert done.stderr.count('refused') == len(paths), done.stdout
  assert done.stderr.count('tensor generator/const would take') == 4
  megabytes = int(done.stdout)
  assert megabytes < 64


def test_a_healthy_file_is_read_as_it_is(tmp_path):
  for file_format in checkpoints.FORMATS:
    path = checkpoints.write(tmp_path, file_format)
    read = torch_file.read(path)
    for name, state in torch.load(path, weights_only=True)['models'].items():
      for key, tensor in state.items():
        assert torch.equal(read['models'][name][key], tensor)
