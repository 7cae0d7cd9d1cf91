"""Reading PyTorch's files: nothing in them runs, and what is wrong is said."""

import collections
import os
import re
import shlex
import sys

import numpy as np
import pytest

from alae_jax import cli
from alae_jax.errors import UserError
from alae_jax.formats import torch_file
from alae_jax.formats.release_file import read_release_checkpoint
from tests.support import release_checkpoints as checkpoints

torch = pytest.importorskip('torch')


@pytest.fixture(params=checkpoints.FORMATS)
def file_format(request):
  return request.param


class Payload:
  """Runs a shell command when it is unpickled."""

  def __init__(self, function, argument):
    self._call = function, (argument,)

  def __reduce__(self):
    return self._call


def refuse(path):
  """The one line that a file is refused with."""
  with pytest.raises(UserError) as caught:
    read_release_checkpoint(str(path))
  message = str(caught.value)
  assert '\n' not in message and str(path) in message
  return message


@pytest.mark.parametrize('place', ['models', 'auxiliary', 'state'])
@pytest.mark.parametrize('function', [os.system, eval])
def test_a_malicious_file_is_refused_and_not_run(
  tmp_path, file_format, function, place
):
  marker = tmp_path / 'was_run'
  command = f'touch {shlex.quote(str(marker))}'
  payload = Payload(
    function,
    command
    if function is os.system
    else f'__import__("os").system({command!r})',
  )

  def infect(content):
    if place == 'state':
      content['models']['generator']['const'] = payload
    else:
      content[place]['extra'] = payload

  path = checkpoints.write(tmp_path, file_format, infect)
  message = refuse(path)
  assert re.search(r'asks for (posix\.system|eval), which', message)
  assert cli.main(['import', path, '--workdir', str(tmp_path / 'run')]) == 2
  assert not (tmp_path / 'run').exists()
  assert not marker.exists()
  # The payload is a live one: PyTorch's unrestricted unpickler runs it.
  torch.load(path, weights_only=False)
  assert marker.exists()


def test_a_stand_in_runs_nothing(tmp_path, file_format, monkeypatch):
  """Not even a module of the same name that could be imported."""
  marker = tmp_path / 'was_run'
  module = type(sys)('tracker')
  exec(
    'class RunningMean:\n'
    '  def __setstate__(self, state):\n'
    f'    open({str(marker)!r}, "w").close()\n'
    'RunningMean.__module__ = "tracker"',
    module.__dict__,
  )
  monkeypatch.setitem(sys.modules, 'tracker', module)
  tracker = module.RunningMean()
  tracker.values = [1.0, torch.zeros(2)]

  def add_objects(content):
    content['auxiliary'] = {
      'tracker': collections.OrderedDict(loss=tracker),
      'means': [np.float64(0.5), np.float32(2)],
      'table': collections.defaultdict(list, a=[1]),
      'optimizer': torch.optim.Adam([torch.zeros(1)]).state_dict(),
    }

  path = checkpoints.write(tmp_path, file_format, add_objects)
  assert read_release_checkpoint(path).holds == ('live', 'ema')
  assert not marker.exists()
  torch.load(path, weights_only=False)
  assert marker.exists()


@pytest.mark.parametrize('share', [0.02, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_told(tmp_path, file_format, share):
  path = tmp_path / 'cut.pth'
  with open(checkpoints.write(tmp_path, file_format), 'rb') as file:
    content = file.read()
  path.write_bytes(content[: int(share * len(content))])
  assert 'is truncated' in refuse(path)


def test_another_kind_of_file_is_told(tmp_path, monkeypatch):
  """Before PyTorch is asked for."""
  monkeypatch.setitem(sys.modules, 'torch', None)
  path = tmp_path / 'other.pth'
  path.write_bytes(b'<html>404</html>')
  assert 'is not a PyTorch checkpoint but a web page' in refuse(path)
  path.write_bytes(b'\x01\x02\x03')
  assert refuse(path).endswith('is not a PyTorch checkpoint')


def test_a_missing_file_is_told(tmp_path):
  assert 'no such file' in refuse(tmp_path / 'none.pth')
  assert 'is a folder' in refuse(tmp_path)


@pytest.mark.parametrize(
  ('content', 'said'),
  [
    (
      {'conv1.weight': torch.zeros(2), 'bn': torch.zeros(1)},
      r"it has no 'models' \(there: conv1.weight, bn\)",
    ),
    ({'state_dict': {}, 'epoch': 3}, r'\(there: state_dict, epoch\)'),
    ([torch.zeros(2)], 'it is a list'),
    (
      {'models': {'netG': {}, 'netD': {}}},
      r'no network of the ALAE release \(there: netG, netD\)',
    ),
    (
      {'models': {'generator': {'w': torch.zeros(1)}}},
      'network discriminator is missing',
    ),
  ],
)
def test_a_file_of_another_project_is_told(
  tmp_path, file_format, content, said
):
  path = checkpoints.save(content, tmp_path / 'other.pth', file_format)
  assert re.search(said, refuse(path))


def at(network, name, value=None):
  """A change of one tensor of a checkpoint; None takes it out."""

  def change(content):
    tensors = content['models'][network]
    if value is None:
      del tensors[name]
    else:
      tensors[name] = value

  return change


@pytest.mark.parametrize(
  ('change', 'said'),
  [
    (
      at('generator', 'const'),
      '(live networks): release checkpoint lacks tensor generator/const',
    ),
    (
      at('generator_s', 'const'),
      '(ema networks): release checkpoint lacks tensor generator/const',
    ),
    (
      at('mapping_fl', 'map_blocks.1.fc.bias', torch.zeros(7)),
      'mapping_fl/map_blocks.1.fc.bias has shape (7,), not (6,)',
    ),
    (at('dlatent_avg', 'buff'), 'network dlatent_avg is missing'),
    (
      at('dlatent_avg', 'buff', torch.zeros(18, 6)),
      'dlatent_avg/buff has shape (18, 6), not (4, 6)',
    ),
    (
      at('discriminator', 'encode_block.1.dense.weight', torch.zeros(6, 8)),
      'an ablation whose encoder ends in a dense layer',
    ),
    (
      at('generator', 'const', torch.zeros(1, 8, 4, 4, dtype=torch.int32)),
      'tensor generator/const has type torch.int32',
    ),
    (
      at('generator', 'const', torch.full((1, 8, 4, 4), float('nan'))),
      'tensor generator/const has values that are not finite',
    ),
    (at('generator', 'const', 'text'), 'is not a tensor but of type str'),
    (
      lambda content: content['models'].pop('mapping_tl_s'),
      'network mapping_tl_s is missing',
    ),
  ],
)
def test_a_wrong_tensor_is_named(tmp_path, change, said):
  assert said in refuse(checkpoints.write(tmp_path, change=change))


def test_names_of_a_distributed_model_and_half_precision_are_read(tmp_path):
  def change(content):
    for name, tensors in content['models'].items():
      content['models'][name] = {
        f'module.{key}': tensor.bfloat16() for key, tensor in tensors.items()
      }

  release = read_release_checkpoint(checkpoints.write(tmp_path, change=change))
  np.testing.assert_allclose(
    release.params['generator']['const'],
    checkpoints.draw(0)[0]['generator']['const'],
    rtol=1e-2,
  )


def test_pytorch_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
  path = checkpoints.write(tmp_path)
  monkeypatch.setitem(sys.modules, 'torch', None)
  with pytest.raises(UserError, match=r"pip install 'alae_jax\[torch\]'"):
    torch_file.read(path)


def test_a_pytorch_that_reads_unsafely_is_refused(tmp_path, monkeypatch):
  path = checkpoints.write(tmp_path)
  monkeypatch.setattr(
    torch, '__version__', torch.torch_version.TorchVersion('2.9.1')
  )
  with pytest.raises(UserError, match=r'2\.9\.1 cannot read files safely'):
    torch_file.read(path)
