"""Exported graphs do what the model does, where neither JAX nor we are."""

import dataclasses
import pathlib
import re

import jax
import numpy as np
import pytest
from etils import epath
from safetensors.numpy import load_file

pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')

import onnx  # noqa: E402
from onnx import external_data_helper, numpy_helper  # noqa: E402

import alae_jax  # noqa: E402
from alae_jax.errors import UserError  # noqa: E402
from alae_jax.formats import model_card  # noqa: E402
from alae_jax.formats.exporters import (  # noqa: E402
  FUNCTIONS,
  StoredRun,
)
from alae_jax.formats.onnx import export as onnx_export  # noqa: E402
from alae_jax.formats.onnx import translation  # noqa: E402
from alae_jax.inference import loading  # noqa: E402
from alae_jax.inference.model import Model  # noqa: E402
from alae_jax.models.networks import build_networks  # noqa: E402
from alae_jax.runs.folder import RunFolder  # noqa: E402
from tests.support import elsewhere, example_runs  # noqa: E402
from tests.support.verbs import alae, names  # noqa: E402

ROWS = 3
# Of the largest number that comes out: what float32 leaves of sums in another
# order.
TOLERANCE = 1e-5

# Runs a README's examples where nothing else can be imported, and then their
# sessions on arrays of the parent's.
ELSEWHERE = """
import re, sys

class Missing:
  def find_spec(self, name, *rest):
    if name.split('.')[0] in ('jax', 'jaxlib', 'flax', 'alae_jax', 'onnx',
                              'safetensors', 'ml_dtypes', 'scipy'):
      raise ImportError(f'{name} is not here')

sys.meta_path.insert(0, Missing())
import numpy as np

readme = open('README.md').read()
blocks = re.findall(r'```python\\n(.*?)```', readme, re.DOTALL)
given, results = np.load(sys.argv[1]), {}
for block in blocks:
  if 'onnxruntime' in block:
    names = {}
    exec(block, names)
    assert len(names['result']) == 5
    session = names['session']
    feed = {one.name: given[one.name] for one in session.get_inputs()}
    name = re.search(r"'(\\w+).onnx'", block)[1]
    (results[name],) = session.run(None, feed)
np.savez(sys.argv[2], **results)
"""


@dataclasses.dataclass(frozen=True)
class Case:
  run: str
  folder: pathlib.Path
  model: Model


@pytest.fixture(scope='module', params=['mlp', 'style', 'growing'])
def case(request, tmp_path_factory):
  """An MLP, a StyleALAE, and one whose third level is half faded in."""
  place = tmp_path_factory.mktemp(request.param)
  run = {
    'mlp': example_runs.mlp_run,
    'style': lambda path: example_runs.style_run(path, levels=2),
    'growing': lambda path: example_runs.growing_run(path, 368),
  }[request.param](place / 'run')
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(model_card, 'preview', lambda _: b'')  # saves seconds
    alae('export', run, '--format', 'onnx', '--out', place / 'out')
  return Case(run, place / 'out', alae_jax.load(run))


def draw(model):
  """Arguments by name, and the keys that z and noise were drawn from."""
  rng, side = np.random.default_rng(1), model.resolution
  keys = jax.random.split(jax.random.key(2), ROWS)
  z, noise_keys = model.draw_latents(keys)
  planes = jax.vmap(lambda key: model.networks.draw_noise(key, 1, model.level))(
    noise_keys
  )
  arrays = {
    'z': z,
    'w': rng.normal(size=(ROWS, model.w_dim)),
    'styles': rng.normal(size=(ROWS, model.layers, model.w_dim)),
    'images': rng.uniform(-1, 1, (ROWS, side, side, model.channels)),
    'noise': np.concatenate(
      [
        np.zeros((ROWS, 0)),
        *(np.reshape(plane, (ROWS, -1)) for plane in planes),
      ],
      axis=1,
    ),
    'psi': np.array(0.6),
  }
  return {key: np.asarray(x, np.float32) for key, x in arrays.items()}, keys


def by_model(model, given, keys):
  return {
    'map': model.map(given['z']),
    'encode': model.encode(given['images']),
    'decode': model.decode(given['w']),
    'decode_styles': model.decode(given['styles']),
    'generate': model.generate(keys, ROWS, given['psi']),
    'reconstruct': model.reconstruct(given['images']),
  }


def assert_close(made, wanted, name=''):
  np.testing.assert_allclose(
    made, wanted, rtol=0, atol=TOLERANCE * np.abs(wanted).max(), err_msg=name
  )


def test_graphs_run_where_jax_is_not(case, tmp_path):
  given, keys = draw(case.model)
  made = elsewhere.run(ELSEWHERE, case.folder, given, tmp_path)
  wanted = by_model(case.model, given, keys)
  assert set(made) == set(wanted) == set(FUNCTIONS)
  for name, result in wanted.items():
    assert_close(made[name], result, name)


def test_graphs_are_valid_and_hold_no_weights(case):
  stored = load_file(case.folder / 'model.safetensors')
  read = set()
  for name in FUNCTIONS:
    path = case.folder / f'{name}.onnx'
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path, load_external_data=False)
    inside = 0
    for tensor in model.graph.initializer:
      if external_data_helper.uses_external_data(tensor):
        np.testing.assert_array_equal(
          numpy_helper.to_array(tensor, str(case.folder)), stored[tensor.name]
        )
        read.add(tensor.name)
      else:
        inside += len(tensor.raw_data)
    assert inside < 4000
  assert 'mean_w' in read
  assert not [name for name in read if name.startswith('discriminator')]


def test_graphs_say_what_they_are(case):
  for name in FUNCTIONS:
    content = (case.folder / f'{name}.onnx').read_bytes()
    model = onnx.load_from_string(content)
    assert model.graph.name == name
    assert model.doc_string
    assert model.producer_name == 'alae_jax'
    assert model.producer_version == alae_jax.__version__
    for value in (*model.graph.input, *model.graph.output):
      if value.type.tensor_type.shape.dim:
        assert value.type.tensor_type.shape.dim[0].dim_param == 'rows'
    for folder in (pathlib.Path(__file__).parents[3], pathlib.Path.home()):
      assert str(folder).encode() not in content
  readme = (case.folder / 'README.md').read_text()
  told = set(re.findall(r'^### (\S+)$', readme, re.MULTILINE))
  assert told == names(case.folder) - {'README.md', 'preview.png'}
  assert 'pip install jax numpy onnxruntime safetensors\n' in readme


@pytest.fixture(scope='module')
def wide():
  """A StyleALAE with maps that CPUs and accelerators convolve differently."""
  config = example_runs.make_style_config(levels=2)
  config.model.base_channels = config.model.max_channels = 20
  return config, example_runs.make_state(config)


def model_at(wide, level, blend, dtype='float32'):
  config, state = wide
  config = config.copy_and_resolve_references()
  config.train.compute_dtype = dtype
  networks = build_networks(config)
  return Model(config, networks, state.ema, state.mean_w, level, blend)


def exported(model):
  folder = RunFolder(epath.Path('run'))  # which is not looked into
  loaded = loading.LoadedRun(folder, model, 0, 0, 'ema')
  return onnx_export.export(StoredRun('run', loaded, None)).files


@pytest.mark.parametrize(('level', 'blend'), [(0, 1.0), (1, 0.3)])
def test_every_level_is_written(wide, tmp_path, level, blend):
  model = model_at(wide, level, blend)
  for name, content in exported(model).items():
    (tmp_path / name).write_bytes(content)
  given, _ = draw(model)
  for name, argument in {'encode': 'images', 'decode': 'w'}.items():
    session = onnxruntime.InferenceSession(tmp_path / f'{name}.onnx')
    (made,) = session.run(None, {argument: given[argument]})
    assert_close(made, getattr(model, name)(given[argument]), name)


def test_whatever_a_run_computes_in_a_graph_is_float32(wide):
  narrow = exported(model_at(wide, 1, 0.3, 'bfloat16'))
  for name, content in exported(model_at(wide, 1, 0.3)).items():
    assert name == 'config.json' or narrow[name] == content


def test_every_rule_is_for_something(wide, monkeypatch):
  asked = set()

  class Asked(dict):
    def get(self, name):
      asked.add(name)
      return super().get(name)

  monkeypatch.setattr(translation, 'RULES', Asked(translation.RULES))
  exported(model_at(wide, 1, 0.3))
  assert set(translation.RULES) <= asked


def test_an_operation_without_a_rule_is_named(wide, monkeypatch):
  monkeypatch.delitem(translation.RULES, 'exp')
  with pytest.raises(
    UserError, match=r'decode of this .* not written for: exp'
  ):
    exported(model_at(wide, 1, 1.0))


def test_all_formats_go_together(tmp_path, monkeypatch):
  monkeypatch.setattr(model_card, 'preview', lambda _: b'')
  run, out = example_runs.mlp_run(tmp_path / 'run'), tmp_path / 'out'
  alae('export', run, '--format', 'onnx,safetensors,stablehlo', '--out', out)
  there = names(out)
  assert {'encode.onnx', 'encode.stablehlo', 'model.safetensors'} < there
