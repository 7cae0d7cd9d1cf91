"""Reading TorchScript: as PyTorch reads it, and nothing in a file runs."""

import os
import pickle
import shlex
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from alae_jax.errors import UserError
from alae_jax.formats import torch_file, torchscript
from tests.support.published_weights import write_program

torch = pytest.importorskip('torch')


class Layer(torch.nn.Module):
  """A tensor of its own, a buffer, and attributes that are no tensors."""

  def __init__(self):
    super().__init__()
    self.weight = torch.nn.Parameter(torch.randn(2, 3, 1, 5).transpose(1, 3))
    self.register_buffer('mean', torch.randn(7)[2:5])
    self.register_buffer('count', torch.tensor(3))
    self.names = ['a', 'b']
    self.sides = [1, 2]
    self.table = {'x': 1.5}
    self.place = torch.device('cpu')

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    return x


class Network(torch.nn.Module):
  def __init__(self):
    super().__init__()
    self.layers = torch.nn.Sequential(
      Layer(), Layer(), torch.nn.Conv2d(2, 2, 3), torch.nn.BatchNorm2d(2)
    )
    self.halfs = torch.nn.Linear(3, 2).half()
    self.doubles = torch.nn.Linear(3, 2).double()
    self.brains = torch.nn.Linear(3, 2).bfloat16()

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    return self.layers(x)


@pytest.fixture(scope='module')
def network(tmp_path_factory):
  """(the module, its file)."""
  torch.manual_seed(0)
  path = tmp_path_factory.mktemp('network') / 'network.pt'
  return write_program(Network(), path), path


def rewrite(source, target, change):
  """Copies a zip file; change(name, content) gives other contents, or None."""
  with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w') as new:
    for entry in old.infolist():
      content = change(entry.filename, old.read(entry))
      if content is not None:
        new.writestr(entry, content)
  return target


def in_pickle(source, target, old, new):
  """Copies a file with other bytes in its pickle."""

  def change(name, content):
    if name.endswith('data.pkl'):
      assert content.count(old) == 1
      return content.replace(old, new)
    return content

  return rewrite(source, target, change)


def with_pickle(source, target, content):
  """Copies a file with another pickle."""
  return rewrite(
    source, target, lambda name, old: content if 'data.pkl' in name else old
  )


def refuse(path):
  """The one line that a file is refused with."""
  with pytest.raises(UserError) as caught:
    torchscript.read(str(path))
  message = str(caught.value)
  assert '\n' not in message and message.startswith(str(path))
  return message


def test_tensors_are_as_pytorch_reads_them(network):
  module, path = network
  assert torchscript.is_program(str(path))
  found = torchscript.read(str(path))
  wanted = {
    name: value.float().numpy()
    for name, value in module.state_dict().items()
    if value.is_floating_point()
  }
  assert set(found) == set(wanted)
  for name, value in found.items():
    assert value.dtype == np.float32 and value.flags.c_contiguous
    np.testing.assert_array_equal(value, wanted[name])


def test_pytorch_is_not_needed(network):
  script = (
    'import sys\n'
    'sys.modules["torch"] = None\n'
    'from alae_jax.formats import torchscript\n'
    'print(len(torchscript.read(sys.argv[1])))\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', script, network[1]],
    check=True,
    capture_output=True,
    text=True,
  )
  assert int(done.stdout) == 4 + 2 + 4 + 6


def test_a_shared_module_has_both_names(tmp_path):
  class Twice(torch.nn.Module):
    def __init__(self):
      super().__init__()
      self.one = torch.nn.Linear(2, 2)
      self.other = self.one

    def forward(self, x: torch.Tensor) -> torch.Tensor:
      return self.other(self.one(x))

  path = tmp_path / 'twice.pt'
  write_program(Twice(), path)
  assert set(torchscript.read(str(path))) == {
    'one.weight',
    'one.bias',
    'other.weight',
    'other.bias',
  }


class Payload:
  """Runs a function when it is unpickled."""

  def __init__(self, function, *arguments):
    self._call = function, arguments

  def __reduce__(self):
    return self._call


def test_a_malicious_file_is_refused_and_not_run(network, tmp_path):
  marker = tmp_path / 'was_run'
  payload = Payload(os.system, f'touch {shlex.quote(str(marker))}')
  content = pickle.dumps(payload, protocol=2)
  path = with_pickle(network[1], tmp_path / 'infected.pt', content)
  assert 'asks for posix.system, which no TorchScript program' in refuse(path)
  assert not marker.exists()
  pickle.loads(content)  # it is a live one
  assert marker.exists()


@pytest.mark.parametrize(
  ('function', 'arguments'),
  [
    (eval, ('1',)),
    (bytearray, (10**12,)),
    (getattr, ('x', 'upper')),
    (np.zeros, (10**12,)),
    (torch.load, ('x',)),
  ],
)
def test_other_functions_are_refused(network, tmp_path, function, arguments):
  content = pickle.dumps(Payload(function, *arguments), protocol=2)
  path = with_pickle(network[1], tmp_path / 'other.pt', content)
  assert f'.{function.__name__}, which no TorchScript' in refuse(path)


@pytest.mark.parametrize(
  'content',
  [
    # A memo, or bytes, of a size that the file can't fill.
    b'\x80\x02Nr\xff\xff\xff\x7f.',
    b'\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.',
    b'\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00.',
    # Other ways to name something.
    b'\x80\x04\x8c\x05posix\x8c\x06system\x93.',
    b"(S'true'\niposix\nsystem\n.",
    b'\x80\x02\x82\x01.',
    # Attributes put on what is not of the file.
    b'\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x01\x00\x00\x00xNs\x86b.',
    b'\x80\x02c__torch__\nA\nN}X\x01\x00\x00\x00xNs\x86b.',
    # Not a pickle, none at all, and one that ends early.
    b'nothing',
    b'',
    b'\x80\x02c__torch__\nA',
  ],
)
def test_odd_pickles_are_refused(network, tmp_path, content):
  said = refuse(with_pickle(network[1], tmp_path / 'odd.pt', content))
  assert 'is damaged' in said or 'is not loaded' in said


def test_nothing_is_left_of_what_a_pickle_puts_on_functions(network, tmp_path):
  name = b'ctorch._utils\n_rebuild_parameter\n'
  content = b'\x80\x02' + name + b'N}X\x0c\x00\x00\x00__defaults__)s\x86b.'
  torchscript.read(str(with_pickle(network[1], tmp_path / 'x.pt', content)))
  test_tensors_are_as_pytorch_reads_them(network)


def test_modules_that_hold_themselves_end(network, tmp_path):
  content = b'\x80\x02c__torch__\nA\n)\x81q\x00}X\x01\x00\x00\x00xh\x00sb.'
  path = with_pickle(network[1], tmp_path / 'circle.pt', content)
  assert torchscript.read(str(path)) == {}
  # And such a net of modules as has more paths than can be followed.
  content = b'c__torch__\nA\n)\x81}b'
  for i in range(60):
    memo = bytes([i])
    content = (
      b'c__torch__\nA\n)\x81}X\x01\x00\x00\x00x' + content
      + b'q' + memo + b'sX\x01\x00\x00\x00yh' + memo + b'sb'
    )  # fmt: skip
  content = b'\x80\x02' + content + b'.'
  path = with_pickle(network[1], tmp_path / 'net.pt', content)
  assert torchscript.read(str(path)) == {}


@pytest.mark.parametrize('share', [0.02, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_told(network, tmp_path, share):
  path = tmp_path / 'cut.pt'
  content = network[1].read_bytes()
  path.write_bytes(content[: int(share * len(content))])
  assert not torchscript.is_program(str(path))
  assert 'is truncated' in refuse(path)


def test_a_flipped_bit_of_a_tensor_is_told_and_the_tensor_named(
  network, tmp_path
):
  module, source = network
  content = bytearray(source.read_bytes())
  wanted = module.state_dict()['layers.2.weight'].numpy().tobytes()
  content[content.index(wanted) + 5] ^= 4
  path = tmp_path / 'flipped.pt'
  path.write_bytes(content)
  assert 'the check sum of tensor layers.2.weight is wrong' in refuse(path)


def test_a_flipped_bit_anywhere_is_told_or_changes_nothing(network, tmp_path):
  path = tmp_path / 'flipped.pt'
  whole, wanted = network[1].read_bytes(), torchscript.read(str(network[1]))
  for i, place in enumerate(range(0, len(whole), 97)):
    content = bytearray(whole)
    content[place] ^= 1 << (i % 8)
    path.write_bytes(content)
    try:
      found = torchscript.read(str(path))
    except UserError as error:
      assert str(path) in str(error)
    else:
      assert set(found) == set(wanted)
      for name, value in found.items():
        np.testing.assert_array_equal(value, wanted[name])


def save(path, tensor):
  """A file of a module that holds a tensor x of 16 numbers."""

  class Holder(torch.nn.Module):
    def __init__(self):
      super().__init__()
      self.register_buffer('x', tensor)

    def forward(self):
      return self.x

  write_program(Holder(), path)
  return path


@pytest.mark.parametrize(
  ('old', 'new', 'said'),
  [
    # Shape, strides, storage.
    (b'(K\x10t(K\x01t', b'(K\x11t(K\x01t', 'is damaged'),
    (b'(K\x10t(K\x01t', b'(K\x10t(K\x02t', 'is damaged'),
    (b'(K\x10t(K\x01t', b'(K\x10K\x02t(K\x01t', 'tensor x is none'),
    (b'(K\x10t(K\x01t', b'(J\xff\xff\xff\xfft(K\x01t', 'tensor x is none'),
    (b'(K\x10t(K\x01t', b'(K\x10t(J\xff\xff\xff\xfft', 'tensor x is none'),
    (b'(K\x10t(K\x01t', b'(Nt(K\x01t', 'tensor x is none'),
    (b'(K\x10t(K\x01t', b'(J\0\0\0\x7ft(K\0t', 'tensor x would take'),
    (b'K\x10tQ', b'J\0\0\0\x7ftQ', 'is damaged'),
    (b'FloatStorage', b'QuintStorage', 'asks for torch.QuintStorage'),
    (b'X\x01\x00\x00\x000', b'X\x01\x00\x00\x007', 'lacks tensor x'),
    (b'X\x07\x00\x00\x00storage', b'X\x07\x00\x00\x00storagf', 'is damaged'),
  ],
)
def test_a_tensor_that_is_not_there_is_refused(tmp_path, old, new, said):
  source = save(tmp_path / 'x.pt', torch.arange(16.0))
  # What the pickle remembers of a number's place stands between.
  assert said in refuse(in_pickle(source, tmp_path / 'y.pt', old, new))


def test_numbers_that_are_not_finite_are_refused(tmp_path):
  path = save(tmp_path / 'x.pt', torch.tensor([1, float('nan')]))
  assert 'tensor x has values that are not finite' in refuse(path)


def test_many_tensors_that_share_their_numbers_are_refused(tmp_path):
  class Holder(torch.nn.Module):
    def __init__(self):
      super().__init__()
      numbers = torch.ones(10_000)
      for i in range(60):
        self.register_buffer(f'x{i}', numbers[i : i + 9_000])

    def forward(self):
      return self.x0

  path = tmp_path / 'x.pt'
  write_program(Holder(), path)
  assert 'made to fill the memory: tensor x' in refuse(path)


def test_compressed_numbers_are_not_unpacked(tmp_path):
  source = save(tmp_path / 'x.pt', torch.zeros(1 << 20))
  path = tmp_path / 'packed.pt'
  with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, 'w') as new:
    for name in old.namelist():
      new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)
  assert 'is compressed, and is not unpacked' in refuse(path)


def test_other_files_are_told(network, tmp_path):
  path = tmp_path / 'plain.pth'
  torch.save({'x': torch.zeros(1)}, path)
  assert not torchscript.is_program(str(path))
  assert 'is no TorchScript program' in refuse(path)
  text = tmp_path / 'text.pt'
  text.write_text('<html>')
  assert not torchscript.is_program(str(text))
  with pytest.raises(UserError, match=r'none\.pt: no such file'):
    torchscript.read(str(tmp_path / 'none.pt'))
  with pytest.raises(UserError, match='is a folder'):
    torchscript.is_program(str(tmp_path))
  with pytest.raises(UserError, match='is a TorchScript program'):
    torch_file.read(str(network[1]))


def test_a_big_endian_file_is_told(network, tmp_path):
  path = rewrite(
    network[1],
    tmp_path / 'big.pt',
    lambda name, content: b'big' if 'byteorder' in name else content,
  )
  assert 'big-endian' in refuse(path)
