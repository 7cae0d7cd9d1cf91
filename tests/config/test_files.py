"""Config files, and what a command line changes of them."""

import json
import os
import pathlib

import pytest
from etils import epath

from alae_jax import config as config_lib
from alae_jax.config import recipes
from alae_jax.config.files import read_config
from alae_jax.errors import UserError
from alae_jax.runs.folder import RunFolder, write_config

RECIPES = pathlib.Path(__file__).parents[2] / 'experiments'
DIGITS = 'experiments/digits.py'
_RECIPE = (
  'from alae_jax import config\ndef get_config():\n  c = config.default()\n'
  '  {}\n  return c'
)


def test_overrides_keep_their_types():
  config = read_config(
    DIGITS,
    [
      '--config.train.learning_rate=1',
      '--config.model.hidden=(3,4)',
      '--config.data.flip=true',
    ],
  )
  assert config.train.learning_rate == 1.0
  assert config.model.hidden == (3, 4)
  assert config.data.flip is True


@pytest.mark.parametrize('path', ['digits', 'a.json'])
def test_a_program_gives_overrides_as_values(tmp_path, path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  write_config(RunFolder(epath.Path()), config_lib.default())
  (tmp_path / 'config.json').rename('a.json')
  overrides = {'train.images': 1e6, 'model.hidden': [3, 4], 'data.flip': True}
  config = read_config(path, overrides)
  assert (config.train.images, config.data.flip) == (1_000_000, True)
  assert config.model.hidden == (3, 4)
  for wrong, said in [
    ({'train.imges': 5}, 'did you mean train.images?'),
    ({'train': 5}, 'config.train is a section'),
    ({'train.images': '5'}, "config.train.images is '5': it must be a whole"),
  ]:
    with pytest.raises(UserError) as refused:
      read_config(path, wrong)
    assert said in str(refused.value)


@pytest.mark.parametrize(
  ('override', 'said'),
  [
    ('--config.train.imges=5', 'no such config field train.imges: did you '),
    ('--config.tran.images=5', 'did you mean train.images?'),
    ('--config.model.sede=5', 'did you mean train.seed?'),
    ('--config.seed=5', 'did you mean train.seed?'),
    ('--config.train.seed.x=5', 'did you mean train.seed?'),
    ('--config.train.zzz=5', 'train has adam_beta2, batch_size, '),
    ('--config.zzz.seeed=5', 'did you mean train.seed?'),
    ('--config.zzz.zzz=5', 'no such config section zzz: there is data, '),
    ('--config.zzz', 'no such config section zzz: there is data, '),
    ('--config.train', 'config.train is a section'),
    ('--config.train=5', 'config.train is a section'),
    ('--config.train.', 'no such config field train.: train has '),
    ('--config.', 'no such config section : there is data, '),
    ('--config.' + 'x' * 999, 'x...: there is data, '),
    ('--config.train.seed', 'config.train.seed has no value'),
    ('--config.train.seed=', 'config.train.seed has no value'),
    ('--config.train.seed= ', 'config.train.seed has no value'),
    ('--noconfig.data.flip', 'unknown argument --noconfig.data.flip'),
    ('-config.train.seed=1', 'unknown argument -config.train.seed=1'),
    ('--workdri=x', 'unknown argument --workdri'),
    ('stray', 'unexpected argument stray'),
  ],
)
def test_a_wrong_argument_is_named_in_one_line(override, said):
  with pytest.raises(UserError) as error:
    read_config(DIGITS, [override])
  assert said in str(error.value)
  assert '\n' not in str(error.value)
  assert len(str(error.value)) < 300


def test_a_field_is_given_once():
  for again in ('1', '2'):
    with pytest.raises(UserError, match=r'train\.seed is given twice'):
      read_config(
        DIGITS, ['--config.train.seed=1', f'--config.train.seed={again}']
      )


def test_a_value_may_be_the_next_word_and_true_be_left_out():
  config = read_config(
    DIGITS, ['--config.train.seed', '7', '--config.data.flip']
  )
  assert (config.train.seed, config.data.flip) == (7, True)
  config = read_config(DIGITS, ['--config.data.flip', 'false'])
  assert config.data.flip is False


def test_overrides_reach_what_refers_to_a_field(tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text(
    'from alae_jax import config\ndef get_config():\n  c = config.default()\n'
    "  c.model.w_dim = c.model.get_ref('z_dim')\n  return c"
  )
  config = read_config(str(path), ['--config.model.z_dim=9'])
  assert (config.model.z_dim, config.model.w_dim) == (9, 9)


def test_a_recipe_is_found_by_its_name_from_any_folder(tmp_path, monkeypatch):
  names = sorted(path.stem for path in RECIPES.glob('[!_]*.py'))
  assert 'digits' in names
  by_path = {name: read_config(f'experiments/{name}.py') for name in names}
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'digits').mkdir()  # a run of that name, or data
  assert {name: read_config(name) for name in names} == by_path
  assert read_config('digits', ['--config.train.seed=7']).train.seed == 7


def test_an_installed_recipe_is_the_packages_own(tmp_path, monkeypatch):
  """And not what another package has left beside it."""
  package = tmp_path / 'alae_jax'
  for folder in (tmp_path / 'experiments', package / 'experiments'):
    folder.mkdir(parents=True)
    (folder / f'of_{folder.parent.name}.py').touch()
  monkeypatch.setattr(recipes, '_INSTALLED', package / 'experiments')
  monkeypatch.setattr(recipes, '_CLONED', tmp_path / 'experiments')
  assert list(recipes.shipped()) == ['of_alae_jax']


@pytest.mark.parametrize(
  'path',
  ['experiments/nothing.py', 'README.md', 'mnits', 'mnist.py', 'experiments'],
)
def test_a_wrong_config_file_is_named(path):
  with pytest.raises(UserError, match=f'config {path} is neither ') as error:
    read_config(path)
  assert 'the recipes are bedroom, celeba, celebahq, ' in str(error.value)
  assert '\n' not in str(error.value)
  assert len(str(error.value)) < 300


@pytest.mark.parametrize(
  ('text', 'said'),
  [
    ('def get_config(:', 'line 1: SyntaxError: invalid syntax'),
    ('x = 1\n  y = 2', 'line 2: IndentationError: unexpected indent'),
    ('\0', 'SyntaxError'),
    (
      'import nowhere',
      "line 1: ModuleNotFoundError: No module named 'nowhere'",
    ),
    ('\n1 / 0', 'line 2: ZeroDivisionError: division by zero'),
    ('{}["lost"]', 'line 1: KeyError: lost'),
    ('raise KeyError', 'line 1: KeyError$'),
    ('raise ValueError("one\\ntwo" * 999)', 'line 1: ValueError: one two'),
    ('import sys\nsys.exit()', 'line 2: SystemExit$'),
    ('raise SystemExit(3)', 'line 1: SystemExit: 3'),
    ('f = lambda: f()\nf()', 'line 1: RecursionError'),
    ('def get_config():\n  return nothing', 'line 2: NameError'),
    ('def get_config(size): pass', 'TypeError: get_config'),
    ('get_config = 3', "TypeError: 'int' object is not callable"),
    ('', 'has no function get_config'),
    ('def get_config():\n  return None', 'returns nothing, not a config'),
    ('def get_config():\n  return {}', 'returns a dict, not a config'),
    (
      'from ml_collections import ConfigDict as get_config',
      'gives no config.data: start from alae_jax.config.default',
    ),
    (
      'from alae_jax import config\ndef get_config():\n'
      '  c = config.default().unlock()\n  del c.train.seed\n  return c',
      'gives no config.train.seed: start from',
    ),
    (_RECIPE.format('c.train.sede = 1'), 'line 4: no such config field sede: '),
    (
      _RECIPE.format('c.train.images = 1.5'),
      'line 4: config.train.images is 1.5, of type float: it must be a whole',
    ),
    (
      _RECIPE.format('c.train.images = None'),
      'config.train.images is None: it must be a whole number',
    ),
    (
      _RECIPE.format('c.model.hidden = ("a",)'),
      r"config.model.hidden is \('a',\): it must be whole numbers",
    ),
    (
      _RECIPE.format('c.unlock().train.sede = 1'),
      'no such config field train.sede: did you mean train.seed',
    ),
    (
      _RECIPE.format('c.unlock().trian = 1'),
      'no such config section trian: there is data',
    ),
  ],
)
def test_a_users_config_file_that_fails_is_named(tmp_path, text, said):
  path = tmp_path / 'mine.py'
  path.write_text(text)
  with pytest.raises(UserError, match=said) as error:
    read_config(str(path))
  assert 'mine.py' in str(error.value)
  assert '\n' not in str(error.value)
  assert len(str(error.value)) < 500


def test_a_users_config_file_may_be_stopped(tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text('raise KeyboardInterrupt')
  with pytest.raises(KeyboardInterrupt):
    read_config(str(path))


def test_a_frozen_config_is_one(tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text(
    'import ml_collections\n'
    + _RECIPE.format('return ml_collections.FrozenConfigDict(c)')
  )
  assert read_config(str(path), ['--config.train.seed=7']).train.seed == 7


def test_a_config_survives_its_file(tiny_config, tmp_path):
  path = epath.Path(tmp_path) / 'config.json'
  path.write_text(json.dumps(tiny_config.to_dict()))
  assert config_lib.flatten(config_lib.load(path)) == config_lib.flatten(
    tiny_config
  )


@pytest.mark.parametrize(
  ('text', 'said'),
  [
    ('{', 'not a config'),
    ('[]', 'not a config'),
    ('null', 'not a config'),
    ('"x"', 'not a config'),
    ('', 'not a config'),
    ('<html>', 'not a config'),
    ('\ufeff{}', 'not a config'),
    (b'\xff\xfe{}', 'not a config that alae wrote: not UTF-8'),
    ('[' * 100_000, 'not a config'),
    ('{"a":' * 100_000, 'not a config'),
    ('{"train": null}', 'config.train is None: it must be a section'),
    ('{"train": []}', 'config.train is .*: it must be a section'),
    ('{"trian": {}}', 'no such config section trian: there is data'),
    ('{"train.seed": 1}', 'no such config section train.seed'),
    ('{"train": {"imges": 1}}', 'did you mean train.images'),
    *(
      (f'{{"train": {{"images": {value}}}}}', 'config.train.images is ')
      for value in (
        'null', 'true', '"x"', '"5"', '[1]', '{}', '1.5', '-1', '0', 'NaN',
        'Infinity', '-Infinity', '1e400', '1e18', '9' * 400,
        '[' * 500 + ']' * 500,
      )
    ),
    ('{"train": {"images": %s}}' % ('9' * 5000), 'not a config'),
    ('{"train": {"r1_gamma": null}}', 'gamma is None: it must be a number'),
    ('{"train": {"r1_gamma": NaN}}', 'gamma is nan: it must be a number'),
    ('{"train": {"r1_gamma": %s}}' % ('9' * 400), 'it must be a number'),
    ('{"train": {"r1_gamma": true}}', 'is True: it must be a number'),
    ('{"data": {"flip": 1}}', 'config.data.flip is 1: it must be true or'),
    ('{"data": {"flip": "true"}}', "is 'true': it must be true or false"),
    ('{"data": {"name": null}}', 'config.data.name is None: it must be text'),
    ('{"model": {"hidden": null}}', 'hidden is None: it must be whole numbers'),
    ('{"model": {"hidden": [null]}}', 'it must be whole numbers'),
    ('{"model": {"hidden": [1.5]}}', 'it must be whole numbers'),
    ('{"growth": {"learning_rates": ["x"]}}', 'it must be numbers'),
    ('{"model": {"kind": "cnn"}}', "config.model.kind is 'cnn': it must be"),
    ('{"model": {"mapping_layers": 1e5}}', 'it must be from 1 to 64'),
  ],
)  # fmt: skip
def test_a_damaged_config_file_is_refused(tmp_path, text, said):
  path = epath.Path(tmp_path) / 'config.json'
  path.write_bytes(text if isinstance(text, bytes) else text.encode())
  with pytest.raises(UserError, match=said) as error:
    config_lib.load(path)
  assert str(error.value).startswith(f'{path}')
  assert '\n' not in str(error.value)
  assert len(str(error.value)) < 500


def test_what_is_no_file_is_not_waited_for(tmp_path):
  os.mkfifo(tmp_path / 'pipe.json')
  (tmp_path / 'folder.json').mkdir()
  for name, said in (
    ('pipe', 'not a file'),
    ('folder', 'not a file'),
    ('nothing', 'no such file'),
  ):
    with pytest.raises(UserError, match=rf'{name}\.json is not a .*{said}'):
      read_config(str(tmp_path / f'{name}.json'))


def test_numbers_keep_their_kind_in_a_file(tmp_path):
  path = epath.Path(tmp_path) / 'config.json'
  path.write_text('{"train": {"images": 1e6, "r1_gamma": 1}}')
  train = config_lib.load(path).train
  assert (repr(train.images), repr(train.r1_gamma)) == ('1000000', '1.0')


def test_a_runs_config_is_a_config_file(tiny_config, tmp_path):
  folder = RunFolder(epath.Path(tmp_path))
  write_config(folder, tiny_config)
  path = str(folder.config)
  assert read_config(path) == tiny_config
  assert read_config(path, ['--config.train.seed=7']).train.seed == 7
  with pytest.raises(UserError, match=r'did you mean train\.images'):
    read_config(path, ['--config.train.imges=1'])
  with pytest.raises(UserError, match=r'nowhere\.json is not a config'):
    read_config('nowhere.json')
