"""Every form that raw images come in, and that they give the same dataset."""

import pickle
import shutil

import numpy as np
import pytest
from etils import epath

from alae_jax.data import datasets, decoding, images, prepare
from alae_jax.data.preparing import levels
from alae_jax.data.sources import base, finding
from alae_jax.errors import UserError
from tests.support import example_sources


def pixels(source):
  """Decodes all images of a source."""
  decoded = [
    decoding.decode(source.read(i), 3).image for i in range(len(source))
  ]
  return np.stack([np.asarray(image) for image in decoded])


@pytest.mark.parametrize('form', example_sources.WRITERS)
def test_a_form_is_found_and_read_in_place(tmp_path, form):
  wanted = example_sources.random_images(side=8)
  path = example_sources.write(form, tmp_path, wanted)
  files = sorted(tmp_path.rglob('*'))
  source = finding.open_source(path)
  np.testing.assert_array_equal(pixels(source), wanted)
  assert len(set(source.names)) == len(source) == len(source.sizes)
  assert finding.find_form(source.path) == form
  named = finding.open_source(path, form)
  assert named.digest == source.digest
  reader = pickle.loads(pickle.dumps(source.reader))  # as workers get it
  np.testing.assert_array_equal(
    np.asarray(decoding.decode(reader.read(source.places[3]), 3).image),
    wanted[3],
  )
  assert sorted(tmp_path.rglob('*')) == files


@pytest.mark.parametrize('form', example_sources.WRITERS)
def test_other_pixels_change_the_digest_or_the_stamp(tmp_path, form):
  wanted = example_sources.random_images(side=8)
  found = []
  for name in ('one', 'other'):
    (tmp_path / name).mkdir()
    path = example_sources.write(form, tmp_path / name, wanted)
    source = finding.open_source(path)
    found.append((source.digest, source.stamp))
    wanted[2] = wanted[2] // 2
  assert found[0] != found[1]


@pytest.mark.parametrize('form', example_sources.WRITERS)
def test_the_same_pixels_make_the_same_dataset(tmp_path, form):
  wanted = example_sources.random_images(side=8)
  for some in {'folder', form}:
    path = example_sources.write(some, tmp_path, wanted)
    prepare.prepare(some, path, tmp_path / 'data', test_images=0)
  folder, other = (
    datasets.available(some, tmp_path / 'data') for some in ('folder', form)
  )
  for resolution in (8, 4):
    one, two = (
      levels.read_metadata(there[resolution])['fingerprint']
      for there in (folder, other)
    )
    assert one == two
    made = datasets.open_dataset(form, tmp_path / 'data', 'train', resolution)
    level = [images.box_average(image, resolution) for image in wanted]
    np.testing.assert_array_equal(made.batch(range(10))['image'], level)


def test_what_is_no_form_is_refused(tmp_path):
  (tmp_path / 'notes.txt').write_text('text')
  (tmp_path / 'empty').mkdir()
  for path, message in (
    (tmp_path / 'none', 'no such file or folder'),
    (tmp_path / 'notes.txt', 'is none of: a dataset of TFDS, '),
    (tmp_path / 'empty', 'holds no images'),
    ('tfds:none', "no dataset 'none' of TFDS"),
  ):
    with pytest.raises(UserError, match=message) as caught:
      finding.open_source(path, data_dir=tmp_path)
    assert '\n' not in str(caught.value)


FILES = ['zip', 'tar', 'tfrecords', 'parquet', 'numpy']


@pytest.mark.parametrize('form', FILES)
def test_a_file_cut_short_anywhere_is_refused_or_its_images_are_bad(
  tmp_path, form
):
  """Whatever is cut off: never another error, never an image made up."""
  wanted = example_sources.random_images(count=6, side=8)
  path = example_sources.write(form, tmp_path, wanted)
  content = path.read_bytes()
  cuts = [0, 1, 3, 7, 30, 100, *range(150, len(content), len(content) // 25)]
  for cut in cuts:
    path.write_bytes(content[:cut])
    good = _good_images(path, form)
    assert good is None or good <= 6, cut
  path.write_bytes(content)
  assert _good_images(path, form) == 6


@pytest.mark.parametrize('form', [*FILES, 'lmdb'])
def test_flipped_bytes_are_refused_or_their_images_are_bad(tmp_path, form):
  wanted = example_sources.random_images(count=6, side=8)
  path = example_sources.write(form, tmp_path, wanted)
  file = path / 'data.mdb' if form == 'lmdb' else path
  content = file.read_bytes()
  rng = np.random.default_rng(0)
  # Of an LMDB, which checks nothing, the pages of values alone.
  start = content.index(b'IHDR') if form == 'lmdb' else 0
  for _ in range(60):
    damaged = bytearray(content)
    place = int(rng.integers(start, len(content)))
    damaged[place] ^= 1 << int(rng.integers(8))
    file.write_bytes(damaged)
    _good_images(path, form)


def _good_images(path, form):
  """How many can be read; None: the file is refused. Anything else fails."""
  try:
    source = finding.FORMS[form].open_source(epath.Path(path))
  except UserError as error:
    assert '\n' not in str(error)
    return None
  good = 0
  for index in range(len(source)):
    try:
      decoding.decode(source.read(index), 3)
      good += 1
    except base.BadImage as error:
      assert '\n' not in str(error)
  return good


@pytest.mark.parametrize('form', example_sources.WRITERS)
def test_a_file_that_was_written_anew_is_read_anew(tmp_path, form):
  """In the same process, and to the same size."""
  for seed in (0, 1):
    wanted = example_sources.random_images(seed=seed)
    if seed:
      shutil.rmtree(tmp_path / 'raw')
    (tmp_path / 'raw').mkdir()
    path = example_sources.write(form, tmp_path / 'raw', wanted)
    np.testing.assert_array_equal(pixels(finding.open_source(path)), wanted)
