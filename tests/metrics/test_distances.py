"""FID and its kin end to end, with features that cost nothing: pixels."""

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from alae_jax import storage
from alae_jax.errors import UserError
from alae_jax.inference import loading
from alae_jax.inference.model import Model
from alae_jax.metrics import features as features_lib
from alae_jax.metrics import names, protocols, reals, sampling, statistics
from alae_jax.metrics.base import Settings
from alae_jax.models.networks import build_networks
from alae_jax.ops.pixels import to_uint8
from tests.support import example_runs
from tests.support.measured import dataset_of, random_images, subject_of


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
  monkeypatch.setenv('ALAE_CACHE', str(tmp_path / 'cache'))


@pytest.fixture(scope='module')
def model(mlp):
  return loading.load(mlp)


def compute(name, subject):
  return names.find(name).compute(subject)


def pixel_features(images):
  return images.reshape(len(images), -1) / 255


def moments(images):
  return statistics.Moments.none(images[0].size).add(pixel_features(images))


def test_fid_is_of_the_models_own_images(model):
  train = random_images(40)
  result = compute('fid30', subject_of(model, train, features='pixels', seed=3))
  fakes = to_uint8(model.generate(sampling.keys_of(3, np.arange(30)), 30))
  expected = statistics.frechet_distance(
    moments(train.batch(range(40))['image']), moments(fakes)
  )
  assert result.numbers == {'fd_pixels': pytest.approx(expected, rel=1e-6)}
  assert result.facts == {
    'images': 30,
    'real_images': 40,
    'features': 'pixels',
    'features_identity': 'at most 16x16',
    'truncation': 1.0,
    'split': 'train',
  }


def test_truncation_reaches_the_images(model):
  train = random_images(20)
  subject = subject_of(model, train, features='pixels', truncation=0.5)
  keys = sampling.keys_of(0, np.arange(20))
  fakes = to_uint8(model.generate(keys, 20, truncation_psi=0.5))
  expected = statistics.frechet_distance(
    moments(train.batch(range(20))['image']), moments(fakes)
  )
  found = compute('fid20', subject).numbers['fd_pixels']
  assert found == pytest.approx(expected, rel=1e-6)


def test_reconstructions_are_of_the_split_that_was_asked_for(model):
  train, test = random_images(40), random_images(9, seed=1)
  for split, count in (('test', 9), ('train', 25)):
    subject = subject_of(model, train, test, features='pixels', split=split)
    result = compute('fid25_rec', subject)
    originals = {'train': train, 'test': test}[split]
    choice = reals.choose(originals, 25)
    images = originals.batch(choice.indices)['image']
    keys = sampling.keys_of(0, choice.indices)
    decoded = to_uint8(model.decode(model.encode(images), keys))
    expected = statistics.frechet_distance(
      moments(train.batch(range(40))['image']), moments(decoded)
    )
    assert result.numbers == {
      'fd_pixels_rec': pytest.approx(expected, rel=1e-6)
    }
    assert (result.facts['images'], result.facts['split']) == (count, split)
    assert 'truncation' not in result.facts


def test_kid_and_precision_and_recall_are_of_the_same_images(model):
  train = random_images(30)
  subject = subject_of(model, train, features='pixels')
  choice = reals.choose(train, 20)
  real = pixel_features(train.batch(choice.indices)['image'])
  keys = sampling.keys_of(0, np.arange(20))
  fake = pixel_features(to_uint8(model.generate(keys, 20)))
  kid = compute('kid20', subject).numbers['kd_pixels']
  assert kid == pytest.approx(statistics.kernel_distance(real, fake), rel=1e-4)
  with pytest.raises(UserError, match="no metric 'pr20k'"):
    names.find('pr20k')
  found = names.PrecisionRecall('pr', 20, 3).compute(subject).numbers
  assert tuple(found.values()) == statistics.precision_and_recall(real, fake)


def test_equal_sets_are_at_no_distance(model):
  """The machinery of real images alone, on both sides."""
  train = random_images(50)
  subject = subject_of(model, train, features='pixels')
  real = reals.moments(subject, train, reals.choose(train, None))
  assert statistics.frechet_distance(real, real) == pytest.approx(0, abs=1e-6)


def test_the_releases_way_of_choosing(model):
  train = random_images(60)
  chosen = reals.choose(train, 40, mirror=True)
  assert len(np.unique(chosen.indices)) == 40
  assert 10 < chosen.mirrored.sum() < 30
  images = chosen.batch(train, np.arange(40))
  for place in (0, 17, 39):
    original = train[int(chosen.indices[place])]['image']
    mirrored = original[:, ::-1] if chosen.mirrored[place] else original
    np.testing.assert_array_equal(images[place], mirrored)
  released = subject_of(
    model, train, features='pixels', protocol='alae-release'
  )
  result = compute('fid40', released)
  assert result.facts['real_images'] == 40
  plain = compute('fid40', subject_of(model, train, features='pixels'))
  assert plain.facts['real_images'] == 60
  assert result.numbers != plain.numbers


def test_the_release_mixes_two_styles_in_most_images():
  config = example_runs.make_style_config()
  state = example_runs.make_state(config)
  networks = build_networks(config)
  model = Model(config, networks, state.ema, state.mean_w)
  keys = sampling.keys_of(0, np.arange(64))
  stylegan, released = (
    sampling._generated(
      networks, model.level, protocol, features_lib.OfPixels(), {},
      model.params, 1.0, model.mean_w, 1.0, keys,
    )
    for protocol in (
      protocols.find('stylegan'),
      protocols.Protocol('mixing', released=True),
    )
  )  # fmt: skip
  # Bytes differ too: by one in 255 at most, and by 2 in 255 where they round.
  differ = np.abs(np.asarray(stylegan) - np.asarray(released)).max(1) > 3 / 255
  # Of 0.9 one in six cuts off at the last layer, which mixes nothing.
  assert 0.55 < differ.mean() < 0.9


@pytest.mark.parametrize('name', ['fid24', 'kid24', 'fid24_rec'])
def test_devices_and_batches_do_not_matter(name):
  """The real networks: noise, styles, convolutions."""
  config = example_runs.make_style_config()
  state = example_runs.make_state(config, scale=0.5)
  train, test = random_images(40, 16, 3), random_images(30, 16, 3, seed=1)
  found = []
  for devices, rows in ((1, 4), (8, 4), (1, 24), (8, 1)):
    mesh = Mesh(np.array(jax.devices()[:devices]), ('data',))
    networks = build_networks(config)
    model = Model(config, networks, state.ema, state.mean_w, mesh=mesh)
    subject = subject_of(model, train, test, features='pixels', rows=rows)
    found += compute(name, subject).numbers.values()
  np.testing.assert_allclose(found[1:], found[0], rtol=1e-6)
  assert found[0] == found[1]  # to the last bit: the same program


def test_real_images_are_looked_at_once(model, monkeypatch):
  train = random_images(30)
  first = compute('fid20', subject_of(model, train, features='pixels'))
  looked = []
  add_up = reals.add_up

  def counted(subject, function, count, *rest):
    looked.append(count)
    return add_up(subject, function, count, *rest)

  monkeypatch.setattr(reals, 'add_up', counted)
  again = compute('fid20', subject_of(model, train, features='pixels'))
  assert (again.numbers, looked) == (first.numbers, [20])
  # Another choice, another protocol, other images and other features are not
  # taken for the same.
  for subject in (
    subject_of(model, train, features='pixels', real_images=29),
    subject_of(model, train, features='pixels', protocol='pytorch-fid'),
    subject_of(model, random_images(30, seed=5), features='pixels'),
  ):
    looked.clear()
    compute('fid20', subject)
    assert len(looked) == 2


def test_a_damaged_cache_is_made_anew(model):
  train = random_images(30)
  subject = subject_of(model, train, features='pixels')
  first = compute('fid20', subject).numbers
  (kept,) = (storage.cache_folder() / 'statistics').iterdir()
  for content in (b'', kept.read_bytes()[:1000], b'PK\x03\x04nonsense'):
    kept.write_bytes(content)
    assert compute('fid20', subject).numbers == first
    assert len(kept.read_bytes()) > 1000


def test_a_cache_that_cannot_be_written_costs_a_warning(
  model, tmp_path, monkeypatch, capsys
):
  (tmp_path / 'file').touch()
  monkeypatch.setenv('ALAE_CACHE', str(tmp_path / 'file'))
  subject = subject_of(model, random_images(30), features='pixels')
  assert compute('fid20', subject).numbers['fd_pixels'] > 0
  assert 'real images are not kept' in capsys.readouterr().err


def test_another_runs_codes_as_features(model, mlp, style):
  train = random_images(30)
  subject = subject_of(model, train, features=f'probe:{mlp}')
  result = compute('fid20', subject)
  w = model.encode(train.batch(range(30))['image'])
  fakes = model.generate(sampling.keys_of(0, np.arange(20)), 20)
  expected = statistics.frechet_distance(
    statistics.Moments.none(6).add(w),
    statistics.Moments.none(6).add(model.encode(to_uint8(fakes))),
  )
  assert result.numbers['fd_probe'] == pytest.approx(expected, rel=1e-4)
  assert result.facts['features_identity'].startswith(f'{mlp} after 16 images')
  with pytest.raises(UserError, match=r'takes 16x16 RGB, and .* are 8x8 grey'):
    names.find('fid20').check(train, None, Settings(features=f'probe:{style}'))


def test_a_random_inception_tells_noise_from_what_it_was_added_to(model):
  """Few images: a processor looks at some ten of them a second."""
  rng = np.random.default_rng(0)
  side = np.linspace(0, 255, 32)
  plain = np.stack(
    [np.roll(side[:, None] + 0 * side, i, 0) for i in range(24)]
  )[..., None]
  distances = []
  sets = [
    np.clip(plain + s * rng.normal(size=plain.shape), 0, 255)
    for s in (0, 20, 60)
  ]
  subject = subject_of(model, random_images(4), features='random', rows=3)
  found = [
    reals.moments(subject, dataset, reals.choose(dataset, None))
    for dataset in (dataset_of(images.astype(np.uint8)) for images in sets)
  ]
  distances = [statistics.frechet_distance(found[0], x) for x in found]
  assert distances[0] == pytest.approx(0, abs=1e-6 * distances[1])
  assert 0 < distances[1] < distances[2]


@pytest.mark.parametrize(
  ('name', 'train', 'fault'),
  [
    ('fid1', random_images(5), 'it takes two images at least'),
    ('fid5', random_images(1), "dataset 'images' has one image"),
    ('fid5_rec', random_images(5), "dataset 'images' has no test images"),
    ('pr1k3', random_images(3), 'more images than neighbours'),
  ],
)
def test_too_few_images_are_refused(name, train, fault):
  with pytest.raises(UserError, match=fault):
    names.find(name).check(train, None, Settings())


@pytest.mark.parametrize('name', ['vgg', 'probe', 'probe:', 'inception:x', ''])
def test_features_that_there_are_not(name):
  with pytest.raises(UserError, match='there is inception, random, pixels'):
    Settings(features=name).check()


@pytest.mark.parametrize('name', ['fid20', 'kid20'])
def test_features_that_are_not_finite_are_told(model, name, monkeypatch):
  def broken(protocol):
    return features_lib.Features(
      'pixels', features_lib.OfPixels(), {}, 'broken', 8
    )

  monkeypatch.setitem(features_lib._FIND, 'pixels', broken)
  monkeypatch.setattr(
    features_lib.OfPixels,
    '__call__',
    lambda self, params, images: images.reshape(len(images), -1) / 0.0,
  )
  subject = subject_of(model, random_images(30), features='pixels')
  with pytest.raises(FloatingPointError, match=r'not finite: .*\(broken\)'):
    compute(name, subject)
