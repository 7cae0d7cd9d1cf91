import math
import pathlib
import re

import pytest
from etils import epath

from alae_jax import config as config_lib
from alae_jax.config.files import read_config
from alae_jax.errors import UserError
from alae_jax.runs.schedule import build_schedule


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
    ('train.shard', 'some'),
    ('train.remat_resolution', 8),
    ('train.remat_resolution', -1),
    ('train.adam_beta2', 1.0),
    ('train.learning_rate', math.inf),
    ('train.r1_gamma', math.nan),
    ('model.hidden', ('a',)),
    ('model.hidden', (400.5,)),
    ('growth.batch_sizes', ('a',)),
    ('growth.batch_sizes', (8.0,)),
    ('growth.learning_rates', (math.inf,)),
    ('train.batch_size', 10**9),
    ('growth.batch_sizes', (10**9,)),
    ('train.images', 2**31 - 1),
    ('model.mapping_layers', 100_000),
    ('model.discriminator_layers', 100_000),
    ('model.hidden', (8,) * 1000),
    ('model.hidden', (10**9,)),
    ('model.resolution', 10**6),
    ('model.z_dim', 10**9),
    ('model.w_dim', 10**9),
    ('model.base_channels', 10**9),
    ('model.max_channels', 10**9),
    ('data.threads', 10**9),
    ('data.name', '../mnist'),
    ('data.name', '..'),
    ('data.name', 'a\nb'),
    ('data.data_dir', ''),
    ('log.metrics_images', 2**63),
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
  ('field', 'value', 'devices', 'such_as'),
  [
    ('train.batch_size', 12, 8, '16'),
    ('train.batch_size', 1, 8, '8'),
    ('train.batch_size', 96, 7, '98'),
    ('growth.batch_sizes', (16, 6), 4, '(16, 8)'),
    ('growth.batch_sizes', (6,), 4, '8'),
  ],
)
def test_a_new_run_is_told_batches_that_fit(field, value, devices, such_as):
  config = config_lib.default_style(3)
  config.train.batch_size = 8
  section, name = field.split('.')
  config[section][name] = value
  with pytest.raises(UserError) as error:
    config_lib.validate(config, devices)
  assert str(error.value) == (
    f'config.{field} is {value!r}: it must be divisible by the {devices} '
    f'devices, such as {such_as}'
  )


@pytest.mark.parametrize(
  ('batch_sizes', 'devices', 'fit'),
  [
    ((), 7, '1, 2, 3, 4 or 6'),
    ((), 100, '1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 or 96'),
    ((64, 48, 40), 6, '1, 2 or 4'),
    ((9, 8, 7), 2, '1'),
  ],
)
def test_a_run_that_goes_on_is_told_devices_that_fit(batch_sizes, devices, fit):
  config = config_lib.default_style(3)
  config.train.batch_size = 96
  config.growth.batch_sizes = batch_sizes
  with pytest.raises(UserError) as error:
    config_lib.validate(config, devices, continues=True)
  assert f'this run can go on with {fit} of them: hide' in str(error.value)
  assert 'CUDA_VISIBLE_DEVICES' in str(error.value)
  assert '\n' not in str(error.value)
  for count in re.findall(r'\d+', fit):
    config_lib.validate(config, int(count), continues=True)


@pytest.mark.parametrize(
  ('batch_sizes', 'devices', 'fit', 'whose'),
  [
    ((), 1, '1, 2, 3, 4, 6 or 12', 'the device'),
    ((), 6, '1 or 2', 'each of the 6 devices'),
    ((64, 48, 40), 4, '1 or 2', 'each of the 4 devices'),
  ],
)
def test_parts_divide_the_batch_of_every_device(
  batch_sizes, devices, fit, whose
):
  config = config_lib.default_style(3)
  config.train.batch_size = 12
  config.growth.batch_sizes = batch_sizes
  for parts in re.findall(r'\d+', fit):
    config.train.microbatches = int(parts)
    config_lib.validate(config, devices)
  for parts in (0, 5, 24):
    config.train.microbatches = parts
    with pytest.raises(UserError) as error:
      config_lib.validate(config, devices)
    assert str(error.value) == (
      f'config.train.microbatches is {parts}: it must be {fit}, so that it '
      f'divides the batch of {whose}'
    )


@pytest.mark.parametrize('value', [None, 1.5, 'x', True])
def test_a_config_made_in_python_is_checked_too(tiny_config, value):
  with tiny_config.ignore_type():
    tiny_config.train.images = value
  with pytest.raises(UserError, match=r'train\.images is .* a whole number'):
    config_lib.resolve(tiny_config, devices=1)


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
  tiny_config.train.microbatches = 4  # which changes nothing but rounding
  tiny_config.train.shard = 'all'  # likewise
  config_lib.check_continues(tiny_config, stored, where)
  with pytest.raises(UserError, match=r'train\.images'):
    config_lib.check_continues(stored, tiny_config, where)


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
