"""`alae train --dry-run`, and what training refuses before it begins."""

import pytest

from alae_jax.data import prepare
from alae_jax.runs.folder import RunFolder, write_config
from tests.support.example_data import write_images
from tests.support.example_runs import make_style_config
from tests.support.runs import make_tiny_config
from tests.support.verbs import alae, names, refused


@pytest.fixture
def folder(tmp_path):
  """A run folder with a config of 16x16 images, and no dataset yet."""
  config = make_style_config()
  config.data.name = 'images'
  config.data.data_dir = str(tmp_path / 'data')
  config.train.images = 20_000
  config.growth.images_per_level = 5000
  config.growth.batch_sizes = (16,)
  config.log.pictures_images = 20_000
  config.log.checkpoint_images = 20_000
  run = RunFolder(tmp_path / 'run')
  write_config(run, config)
  return run


def dry_run(capsys, config, *overrides):
  alae('train', '--config', config, '--dry-run', *overrides)
  return capsys.readouterr().out.splitlines()


def starting(lines, word):
  return [line for line in lines if line.startswith(word)]


def test_a_dry_run_looks_for_the_dataset(folder, tmp_path, capsys):
  (line,) = starting(dry_run(capsys, folder.config), 'data: ')
  assert line == (
    f"data: no dataset 'images' at 16x16 in {tmp_path}/data; make it with: "
    'alae prepare images --source FOLDER --resolution 16 --data_dir '
    f'{tmp_path}/data'
  )
  write_images(tmp_path / 'pictures', count=20, side=16)
  prepare.prepare('images', tmp_path / 'pictures', tmp_path / 'data')
  (line,) = starting(dry_run(capsys, folder.config), 'data: ')
  assert line == (
    'data: images, 18 train and 2 test images with 3 channel(s), 16x16, 8x8, '
    '4x4'
  )


def test_a_dry_run_warns(folder, tmp_path, capsys):
  assert starting(dry_run(capsys, folder.config), 'warning: ') == []
  write_images(tmp_path / 'pictures', count=2, side=16)
  prepare.prepare('images', tmp_path / 'pictures', tmp_path / 'data')
  told = dry_run(
    capsys,
    folder.config,
    '--config.growth.images_per_level=1e9',
    '--config.log.checkpoint_images=1e9',
  )
  warnings = starting(told, 'warning: ')
  told_of = 'training ends', 'log.checkpoint', 'a step takes', 'no test images'
  assert len(warnings) == len(told_of)
  for warning, words in zip(warnings, told_of, strict=True):
    assert words in warning
  assert 'no test images' in ' '.join(starting(told, 'data: '))


def test_a_dry_run_says_what_its_memory_counts(folder, capsys):
  (line,) = starting(dry_run(capsys, folder.config), 'memory: ')
  for word in ('parameters', 'average', 'moments', 'activations'):
    assert word in line


def test_a_dry_run_counts_the_memory_of_one_device(folder, capsys):
  told = [
    dry_run(
      capsys,
      folder.config,
      '--config.model.base_channels=64',  # wide enough to be cut
      '--config.model.max_channels=64',
      f'--config.train.shard={shard}',
    )
    for shard in ('none', 'state', 'all')
  ]
  sizes = [float(starting(lines, 'memory: ')[0].split()[1]) for lines in told]
  assert sizes == sorted(set(sizes), reverse=True)


def test_a_dry_run_of_an_imported_run_says_to_name_its_data(folder, capsys):
  told = dry_run(capsys, folder.config, '--config.data.name=unnamed')
  (line,) = starting(told, 'data: ')
  assert '--config.data.name=NAME' in line
  assert 'alae prepare' not in line


@pytest.mark.parametrize(
  ('overrides', 'said'),
  [
    (['--config.model.mapping_layers=100000'], 'it must be from 1 to 64'),
    (['--config.train.batch_size=1e9'], 'it must be from 1 to 1,048,576'),
    (['--config.train.images=1.5'], 'it must be a whole number'),
    (['--config.model.channels=3'], "is 3, and dataset 'digits' has 1"),
    (['--config.model.resolution=9'], "dataset 'digits' is 8x8, not 9x9"),
    (['--config.data.name=../x'], "is '../x': it must be the name"),
    (['--config.evaluation.at_end=fid'], "no metric 'fid'"),
    (['--config.train.sede=1'], 'did you mean train.seed?'),
  ],
)
@pytest.mark.parametrize('dry', [True, False])
def test_what_cannot_be_trained_is_refused_at_once(
  tmp_path, capsys, overrides, said, dry
):
  folder = RunFolder(tmp_path / 'config')
  write_config(folder, make_tiny_config())
  where = ['--dry-run'] if dry else ['--workdir', tmp_path / 'run']
  line = refused(capsys, 'train', '--config', folder.config, *where, *overrides)
  assert said in line
  assert names(tmp_path) == {'config'}
