"""The authors' checkpoints as run folders: their numbers, and what runs do."""

import json

import jax
import numpy as np
import pytest

import alae_jax
from alae_jax import cli
from alae_jax.errors import UserError
from alae_jax.formats import exporting, importing
from alae_jax.formats.release_file import read_release_checkpoint
from alae_jax.inference import loading
from alae_jax.inference.model import Model
from alae_jax.models.networks import Stage, build_networks
from tests.support import release_checkpoints as checkpoints
from tests.support.release_cases import SHARED, relative_error
from tests.support.runs import assert_identical

torch = pytest.importorskip('torch')

needs_reference = pytest.mark.skipif(
  not SHARED.exists(), reason='the reference numbers are not at hand'
)
CASES = ('style_stable', 'style_blend', 'style_fused', 'style_fused_blend')


def reference_file(case, file_format, folder):
  """The release's own file, or the same content in the older format."""
  own = SHARED / case / 'checkpoint.pth'
  full = own.parent / 'checkpoint_legacy_full.pth'
  if file_format == 'zip':
    return str(own)
  if full.exists():  # with optimizer and tracker objects inside
    return str(full)
  return checkpoints.save(
    torch.load(own, weights_only=True), folder / f'{case}.pth', 'legacy'
  )


def forward(model, golden):
  """Every forward value of the reference, as an imported model gives it."""
  networks = build_networks(model.config)
  stage = Stage(model.level, model.blend)

  def images(key):
    return golden[key].transpose(0, 2, 3, 1)

  @jax.jit
  def draw(params, styles, noise):
    return networks.decode(params, styles, stage, noise)

  drawn = {
    'img': model.decode(golden['w']),
    'img_mix': model.decode(golden['mix_styles']),
  }
  for key in {'img_noise', 'img_noise_bc'} & set(golden):
    noise = [
      images(f'{key.removeprefix("img_")}_{i}')
      for i in range(2 * model.level + 2)
    ]
    drawn[key] = draw(model.params, networks.broadcast(golden['w']), noise)
  return {key: value.transpose(0, 3, 1, 2) for key, value in drawn.items()} | {
    'w': model.map(golden['z']),
    'd_w': networks.score(model.params, golden['w']),
    'enc_w': model.encode(images('x')),
    'd_x': model.discriminate(images('x')),
    'd_xp': model.discriminate(images('xp')),
    'trunc_styles': model.truncate(
      golden['w'], 0.7, None if model.layers == 8 else 8
    ),
  }


@needs_reference
@pytest.mark.parametrize('file_format', checkpoints.FORMATS)
@pytest.mark.parametrize('case', CASES)
def test_an_imported_model_gives_the_releases_numbers(
  case, file_format, tmp_path
):
  folder = SHARED / case
  golden = dict(np.load(folder / 'golden.npz'))
  workdir = str(tmp_path / 'run')
  # The reference was computed with the live networks.
  importing.import_checkpoint(
    reference_file(case, file_format, tmp_path), workdir, 'live'
  )
  loaded = alae_jax.load(workdir)
  about = json.loads((folder / 'config.json').read_text())
  model = Model(
    loaded.config,
    build_networks(loaded.config),
    loaded.params,
    loaded.mean_w,
    about['lod'],
    about['blend'],
  )
  errors = {
    key: relative_error(value, golden[key])
    for key, value in forward(model, golden).items()
  }
  print(f'{case}, {file_format}: worst {max(errors.values()):.1e}')
  assert max(errors.values()) < 1e-5, errors
  assert {key for key in golden if key.startswith('img')} < set(errors)


@needs_reference
def test_the_moving_average_is_used_unless_told_otherwise(tmp_path):
  workdir = str(tmp_path / 'run')
  importing.import_checkpoint(
    reference_file('style_stable', 'legacy', tmp_path), workdir
  )
  # There, 0.9 times the weights stand for the moving average.
  jax.tree.map(
    lambda ema, live: np.testing.assert_allclose(ema, 0.9 * live, rtol=1e-6),
    alae_jax.load(workdir).params,
    loading.load(workdir, weights='live').params,
  )


@pytest.fixture(params=checkpoints.FORMATS)
def file_format(request):
  return request.param


def test_the_run_is_what_was_imported(tmp_path, file_format):
  params, ema, mean_w = checkpoints.draw(0)
  workdir = str(tmp_path / 'run')
  importing.import_checkpoint(checkpoints.write(tmp_path, file_format), workdir)
  stored = loading.load_state(workdir)
  assert_identical(stored.state.params, params)
  assert_identical(stored.state.ema, ema)
  assert_identical(stored.state.mean_w, mean_w)
  model = alae_jax.load(workdir)
  assert_identical(model.params, ema)
  assert (model.resolution, model.level, model.blend) == (8, 1, 1.0)
  assert model.config.model.to_dict().items() >= checkpoints.MODEL.items()
  assert model.config.train.ema_rampup == 0.0  # the EMA goes on
  assert model.reconstruct(np.zeros((2, 8, 8, 1))).shape == (2, 8, 8, 1)


def test_live_networks_on_request_and_a_relative_path(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  workdir = 'run'
  importing.import_checkpoint(checkpoints.write(tmp_path), workdir, 'live')
  assert_identical(alae_jax.load(workdir).params, checkpoints.draw(0)[0])
  assert_identical(
    alae_jax.load(workdir, weights='ema').params, checkpoints.draw(0)[1]
  )


@pytest.mark.parametrize('kind', ['live', 'ema'])
def test_either_kind_of_network_is_enough(tmp_path, kind, capsys):
  def keep_one(content):
    for name in ('discriminator', 'generator', 'mapping_tl', 'mapping_fl'):
      del content['models'][name + ('_s' if kind == 'live' else '')]

  path = checkpoints.write(tmp_path, change=keep_one)
  assert cli.main(['import', path, '--workdir', str(tmp_path / 'run')]) == 0
  assert f'uses the {kind} networks, the only ones' in capsys.readouterr().out
  release = read_release_checkpoint(path)
  assert release.holds == (kind,)
  assert_identical(release.params, release.ema)
  params, ema, _ = checkpoints.draw(0)
  assert_identical(release.params, params if kind == 'live' else ema)


def test_training_goes_on_from_an_imported_run(tmp_path, capsys):
  workdir = str(tmp_path / 'run')
  assert (
    cli.main(
      [
        'import',
        checkpoints.write(tmp_path),
        '--workdir',
        workdir,
        '--config.data.name=digits',
        '--config.train.batch_size=16',
        '--config.train.images=32',
      ]
    )
    == 0
  )
  assert '--config.data.name=NAME' not in capsys.readouterr().out
  assert (
    cli.main(
      ['train', f'--config={workdir}/config.json', f'--workdir={workdir}']
    )
    == 0
  )
  state = loading.load_state(workdir).state
  params, ema, _ = checkpoints.draw(0)
  assert int(state.images_seen) == 32
  decay = 0.5 ** (32 / 10_000)
  for new, old, limit in (
    (state.params, params, 0.1),
    (state.ema, ema, 2 * (1 - decay)),
  ):
    for leaf, other in zip(
      jax.tree.leaves(new), jax.tree.leaves(old), strict=True
    ):
      assert np.abs(leaf - other).max() < limit * (1 + np.abs(other).max())
  assert np.any(
    np.asarray(state.params['mapping']['dense_0']['kernel'])
    != params['mapping']['dense_0']['kernel']
  )
  assert cli.main(['evaluate', workdir, '--metrics', 'probe']) == 0


@pytest.mark.parametrize('file_format', checkpoints.FORMATS)
def test_a_round_trip_through_their_layout_keeps_every_bit(
  tmp_path, file_format
):
  first, again = str(tmp_path / 'first'), str(tmp_path / 'again')
  out = tmp_path / 'out'
  importing.import_checkpoint(
    checkpoints.write(tmp_path, file_format, seed=3), first
  )
  assert (
    cli.main(['export', first, '--format', 'release', '--out', str(out)]) == 0
  )
  importing.import_checkpoint(str(out / 'model.pth'), again)
  assert_identical(
    loading.load_state(first).state, loading.load_state(again).state
  )


@needs_reference
def test_what_is_written_back_is_what_the_release_saved(tmp_path):
  workdir, out = str(tmp_path / 'run'), str(tmp_path / 'out')
  own = reference_file('style_fused', 'zip', tmp_path)
  importing.import_checkpoint(own, workdir)
  cli.main(['export', workdir, '--format', 'release', '--out', out])
  theirs, ours = (
    torch.load(path, weights_only=True)['models']
    for path in (own, f'{out}/model.pth')
  )
  assert set(ours) == set(theirs)
  for network, tensors in theirs.items():
    assert set(ours[network]) == set(tensors)
    for name, tensor in tensors.items():
      torch.testing.assert_close(
        ours[network][name].float(), tensor, rtol=2e-7, atol=0
      )


def test_nothing_is_overwritten(tmp_path):
  path, workdir = checkpoints.write(tmp_path), str(tmp_path / 'run')
  importing.import_checkpoint(path, workdir)
  with pytest.raises(UserError, match='run is not empty'):
    importing.import_checkpoint(path, workdir)
  with pytest.raises(UserError, match='is a file'):
    importing.import_checkpoint(path, path)
  export = ['export', workdir, '--format', 'release', '--out', str(tmp_path)]
  assert cli.main(export) == 0
  assert cli.main(export) == 2


@pytest.mark.parametrize(
  ('word', 'said'),
  [
    ('--config.model.levels=3', 'config.model.levels is 2'),
    ('--config.growth.images_per_level=5', 'config.growth.images_per_level'),
    ('--config.train.batch_size=0', 'config.train.batch_size is 0'),
    ('--config.train.imges=1', 'did you mean train.images?'),
    ('--force', 'unknown argument --force'),
  ],
)
def test_a_wrong_override_is_named(tmp_path, word, said):
  with pytest.raises(UserError, match=said):
    importing.import_checkpoint(
      checkpoints.write(tmp_path), str(tmp_path / 'run'), overrides=[word]
    )
  assert not (tmp_path / 'run').exists()


def test_only_a_style_model_has_a_release_layout(mlp, tmp_path):
  out = tmp_path / 'out'
  with pytest.raises(UserError, match='holds an mlp model'):
    exporting.export(mlp, ['safetensors', 'release'], str(out))
  assert not out.exists()
