import json
import math
import pathlib

import pytest
from etils import epath

from alae_jax import config as config_lib
from alae_jax.config.files import read_config
from alae_jax.errors import UserError
from alae_jax.runs.folder import RunFolder, write_config
from alae_jax.runs.schedule import build_schedule

DIGITS = 'experiments/digits.py'


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


@pytest.mark.parametrize(
  ('override', 'said'),
  [
    ('--config.train.imges=5', 'Did you mean "images"'),
    ('--config.tran.images=5', 'Did you mean "train"'),
    ('--config.train.images=many', 'config.train.images=many'),
    ('--workdri=x', '--workdri'),
    ('stray', 'stray'),
  ],
)
def test_a_wrong_argument_is_named_in_one_line(override, said):
  with pytest.raises(UserError) as error:
    read_config(DIGITS, [override])
  assert said in str(error.value)
  assert '\n' not in str(error.value)


@pytest.mark.parametrize('path', ['experiments/nothing.py', 'README.md'])
def test_a_wrong_config_file_is_named(path):
  with pytest.raises(UserError, match=path):
    read_config(path)


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('model.kind', 'cnn'),
    ('model.channels', 2),
    ('model.w_dim', 0),
    ('model.levels', 2),
    ('model.hidden', ()),
    ('train.images', 0),
    ('train.batch_size', 12),
    ('train.learning_rate', -1.0),
    ('train.seed', -1),
    ('train.r1_gamma', -1.0),
    ('train.compute_dtype', 'float8'),
    ('train.adam_beta2', 1.5),
    ('growth.images_per_level', -1),
    ('growth.batch_sizes', (8, 8)),
    ('log.keep_last', 0),
    ('data.name', ''),
    ('data.threads', -1),
    ('train.adam_beta2', 1.0),
    ('train.learning_rate', math.inf),
    ('train.r1_gamma', math.nan),
    ('model.hidden', ('a',)),
    ('model.hidden', (400.5,)),
    ('growth.batch_sizes', ('a',)),
    ('growth.batch_sizes', (8.0,)),
    ('growth.learning_rates', (math.inf,)),
  ],
)
def test_an_impossible_value_is_refused_by_name(tiny_config, field, value):
  config_lib.validate(tiny_config, devices=8)
  section, name = field.split('.')
  tiny_config[section][name] = value
  with pytest.raises(UserError, match=f'config.{field} is'):
    config_lib.validate(tiny_config, devices=8)


@pytest.mark.parametrize(
  'recipe',
  sorted(path.name for path in pathlib.Path('experiments').glob('[!_]*.py')),
)
def test_every_recipe_can_be_trained_on_eight_devices(recipe):
  config = config_lib.resolve(read_config(f'experiments/{recipe}'), devices=8)
  config_lib.validate(config, devices=8)
  assert build_schedule(config)[-1].end >= config.train.images


@pytest.mark.parametrize(
  ('name', 'batch_sizes', 'rates', 'flip'),
  [
    ('celebahq', (512, 256, 128, 64, 32, 32, 32), (0.0015,) * 7, True),
    (
      'ffhq',
      (512, 256, 128, 64, 32, 32, 32, 32, 32),
      (0.0015,) * 6 + (0.002, 0.003, 0.003),
      True,
    ),
    (
      'bedroom',
      (512, 256, 128, 64, 32, 32, 32),
      (0.0015,) * 6 + (0.002,),
      True,
    ),
    ('celeba', (512, 256, 128, 64, 32, 32), (0.0015,) * 6, True),
    ('mnist_style', (128, 128, 128, 64), (0.0015,) * 4, False),
  ],
)
def test_the_releases_recipes_on_eight_devices(name, batch_sizes, rates, flip):
  config = config_lib.resolve(read_config(f'experiments/{name}.py'), devices=8)
  schedule = build_schedule(config)
  assert tuple(s.batch_size for s in schedule) == batch_sizes
  assert [s.learning_rate for s in schedule] == pytest.approx(rates)
  assert config.data.flip == flip


@pytest.mark.parametrize(
  ('text', 'said'),
  [
    ('def get_config(:', 'SyntaxError'),
    ('import nowhere', 'nowhere'),
    ('def get_config():\n  return nothing', 'nothing'),
    ('def get_config():\n  return None', 'config.data.data_dir'),
    (
      'from alae_jax import config\ndef get_config():\n'
      '  c = config.default().unlock()\n  del c.train.seed\n  return c',
      'config.train.seed',
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
    ('{"train": {"imges": 1}}', 'imges'),
    ('{"train": {"images": "x"}}', 'train.images'),
  ],
)
def test_a_damaged_config_file_is_refused(tmp_path, text, said):
  path = epath.Path(tmp_path) / 'config.json'
  path.write_text(text)
  with pytest.raises(UserError, match=said) as error:
    config_lib.load(path)
  assert 'config.json' in str(error.value)


def test_a_run_is_continued_only_under_its_config(tiny_config, tmp_path):
  where = epath.Path(tmp_path)
  stored = tiny_config.copy_and_resolve_references()
  tiny_config.train.seed = 7
  tiny_config.model.w_dim = 9
  with pytest.raises(UserError) as error:
    config_lib.check_continues(tiny_config, stored, where)
  assert 'train.seed is 0 there and 7 here' in str(error.value)
  assert 'model.w_dim is 6 there and 9 here' in str(error.value)


def test_an_imported_run_can_be_told_its_data_and_how_to_train(
  tiny_config, tmp_path
):
  stored = config_lib.default()
  stored.update(tiny_config)
  stored.data.name = config_lib.UNNAMED
  tiny_config.data.flip = True
  tiny_config.train.batch_size = 8
  config_lib.check_continues(tiny_config, stored, epath.Path(tmp_path))
  tiny_config.model.w_dim += 1
  with pytest.raises(UserError, match=r'model\.w_dim'):
    config_lib.check_continues(tiny_config, stored, epath.Path(tmp_path))


def test_a_run_may_become_longer_but_not_shorter(tiny_config, tmp_path):
  where = epath.Path(tmp_path)
  stored = tiny_config.copy_and_resolve_references()
  tiny_config.train.images *= 2
  tiny_config.data.data_dir = 'elsewhere'
  config_lib.check_continues(tiny_config, stored, where)
  with pytest.raises(UserError, match=r'train\.images'):
    config_lib.check_continues(stored, tiny_config, where)


def test_a_runs_config_is_a_config_file(tiny_config, tmp_path):
  folder = RunFolder(epath.Path(tmp_path))
  write_config(folder, tiny_config)
  path = str(folder.config)
  assert read_config(path) == tiny_config
  assert read_config(path, ['--config.train.seed=7']).train.seed == 7
  with pytest.raises(UserError, match='Did you mean "images"'):
    read_config(path, ['--config.train.imges=1'])
  with pytest.raises(UserError, match=r'nowhere\.json: no such file'):
    read_config('nowhere.json')


def test_the_batch_follows_from_the_devices_of_the_first_start():
  config = config_lib.default_style(3)
  first = config_lib.resolve(config, devices=8)
  assert first.train.batch_size == 32
  assert config_lib.resolve(config, devices=2, stored=first) == first
  assert config.train.batch_size == 0


@pytest.mark.parametrize(
  ('levels', 'resolution', 'fits'),
  [
    (2, 0, True),
    (9, 0, True),
    (3, 16, True),
    (3, 32, False),
    (1, 0, False),
    (10, 0, False),
  ],
)
def test_a_style_model_has_two_to_nine_levels(levels, resolution, fits):
  config = config_lib.resolve(config_lib.default_style(levels), devices=1)
  config.model.resolution = resolution
  if fits:
    config_lib.validate(config)
  else:
    with pytest.raises(UserError, match=r'config\.model\.'):
      config_lib.validate(config)
