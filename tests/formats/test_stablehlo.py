"""Exported programs do what the model does, where alae_jax is not."""

import pathlib
import re

import jax
import numpy as np
import pytest

from alae_jax.formats import stablehlo
from alae_jax.formats.exporters import FUNCTIONS
from alae_jax.inference import latents
from alae_jax.inference.model import Model
from alae_jax.models.networks import build_networks
from alae_jax.runs import exported as exported_lib
from tests.support import elsewhere, example_runs

# Runs a README's examples, then every program on arrays of the parent's.
ELSEWHERE = """
import re, sys
import numpy as np

readme = open('README.md').read()
blocks = re.findall(r'```python\\n(.*?)```', readme, re.DOTALL)
programs = {}
for block in blocks:
  if 'alae_jax' not in block:
    names = {}
    exec(block, names)
    if 'program' in names:
      programs[re.search(r"'(\\w+).stablehlo'", block)[1]] = names
given, results = np.load(sys.argv[1]), {}
takes = dict(
  map='z', encode='images', decode='w', decode_styles='styles',
  reconstruct='images',
)
for name, names in programs.items():
  arguments = [given['keys'], given['psi']] if name == 'generate' else [
    given[takes[name]]
  ]
  results[name] = names['program'].call(names['parameters'], *arguments)
np.savez(sys.argv[2], **results)
assert not {'alae_jax', 'flax'} & set(sys.modules)
"""


def arguments(model, rows):
  rng, side = np.random.default_rng(1), model.resolution
  return {
    'z': rng.normal(size=(rows, model.z_dim)).astype(np.float32),
    'w': rng.normal(size=(rows, model.w_dim)).astype(np.float32),
    'styles': rng.normal(size=(rows, model.layers, model.w_dim)).astype(
      np.float32
    ),
    'images': rng.uniform(-1, 1, (rows, side, side, model.channels)).astype(
      np.float32
    ),
    'keys': np.array([[0, seed] for seed in range(rows)], np.uint32),
    'psi': np.float32(0.6),
  }


def by_model(model, given):
  keys = latents.seed_keys(given['keys'][:, 1])
  return {
    'map': model.map(given['z']),
    'encode': model.encode(given['images']),
    'decode': model.decode(given['w']),
    'decode_styles': model.decode(given['styles']),
    'generate': model.generate(keys, len(keys), given['psi']),
    'reconstruct': model.reconstruct(given['images']),
  }


def test_programs_run_without_alae_jax(exported_run, tmp_path):
  given = arguments(exported_run.model, 3)
  made = elsewhere.run(ELSEWHERE, exported_run.folder, given, tmp_path)
  wanted = by_model(exported_run.model, given)
  assert set(made) == set(wanted) == set(FUNCTIONS)
  for name, result in wanted.items():
    np.testing.assert_allclose(
      made[name], result, rtol=1e-4, atol=1e-4, err_msg=name
    )


@pytest.fixture(scope='module')
def wide():
  """A StyleALAE with maps that CPUs and accelerators convolve differently."""
  config = example_runs.make_style_config(levels=2)
  config.model.base_channels = config.model.max_channels = 20
  state = example_runs.make_state(config)
  networks = build_networks(config)
  return Model(config, networks, state.ema, state.mean_w, 1, 0.3)


@pytest.mark.parametrize('name', ['encode', 'decode'])
def test_one_program_is_for_every_platform(wide, name):
  exported = stablehlo.lower(wide, name)
  assert exported.platforms == ('cpu', 'cuda', 'tpu')
  text = exported.mlir_module()
  assert f'jit_{name}' in text
  assert re.search(r'stablehlo\.case', text)  # by platform
  given = arguments(wide, 3)[{'encode': 'images', 'decode': 'w'}[name]]
  tensors = exported_lib.to_tensors(wide.params, wide.mean_w)
  np.testing.assert_allclose(
    jax.jit(exported.call)(tensors, given),
    getattr(wide, name)(given),
    rtol=1e-3,
    atol=1e-3,
  )


def test_programs_tell_nothing_of_this_machine(exported_run):
  for path in exported_run.folder.glob('*.stablehlo'):
    content = path.read_bytes()
    assert b'.py' in content
    for folder in (pathlib.Path(__file__).parents[2], pathlib.Path.home()):
      assert str(folder).encode() not in content
