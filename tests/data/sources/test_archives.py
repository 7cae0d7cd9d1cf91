"""Zip and tar files: labels, and names and members that mean harm."""

import io
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
from etils import epath

from alae_jax.data.sources import base, tars, zips
from alae_jax.errors import UserError
from tests.support.example_sources import (
  png,
  random_images,
  write_tar,
  write_zip,
)

IMAGES = random_images(4)
PNG = png(IMAGES[0])


def zipped(path, members, compression=zipfile.ZIP_STORED):
  with zipfile.ZipFile(path, 'w', compression) as archive:
    for name, content in members.items():
      archive.writestr(name, content)
  return epath.Path(path)


def tarred(path, members):
  with tarfile.open(path, 'w') as archive:
    for name, content in members.items():
      info = tarfile.TarInfo(name)
      if isinstance(content, str):  # a link
        info.type, info.linkname = tarfile.SYMTYPE, content
      else:
        info.size = len(content)
      data = io.BytesIO(content) if isinstance(content, bytes) else None
      archive.addfile(info, data)
  return epath.Path(path)


PACKERS = {'zip': (zips, zipped), 'tar': (tars, tarred)}


@pytest.mark.parametrize('form', PACKERS)
def test_images_are_told_from_the_rest(tmp_path, form):
  module, pack = PACKERS[form]
  members = {
    'b/2.PNG': PNG, 'a.jpeg': PNG, 'b/notes.txt': b'text', 'README': b'text',
    '__MACOSX/b/._2.PNG': b'x', '.hidden.png': PNG, 'b/.git/c.png': PNG,
    'caf\u00e9.webp': PNG,
  }  # fmt: skip
  source = module.open_source(pack(tmp_path / f'a.{form}', members))
  assert sorted(source.names) == ['a.jpeg', 'b/2.PNG', 'caf\u00e9.webp']
  assert source.left_out == {'.txt': 1, 'without suffix': 1, 'hidden': 3}
  assert source.labels is None
  assert source.read(0) == PNG


@pytest.mark.parametrize('form', PACKERS)
@pytest.mark.parametrize(
  'name', ['../out.png', '/etc/a.png', 'a/../../b.png', 'C:/a.png', 'a\\b.png']
)
def test_names_that_lead_out_are_refused(tmp_path, form, name):
  module, pack = PACKERS[form]
  path = pack(tmp_path / f'bad.{form}', {'good.png': PNG, name: PNG})
  with pytest.raises(UserError, match='which leads out of it') as caught:
    module.open_source(path)
  assert f'bad.{form}' in str(caught.value)


@pytest.mark.parametrize('form', PACKERS)
@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_a_name_that_is_there_twice_is_refused(tmp_path, form):
  path = tmp_path / f'twice.{form}'
  if form == 'zip':
    with zipfile.ZipFile(path, 'w') as archive:
      archive.writestr('a.png', PNG)
      archive.writestr('a.png', PNG)
  else:
    tarred(path, {'a.png': PNG})
    with tarfile.open(path, 'a') as archive:
      info = tarfile.TarInfo('a.png')
      info.size = len(PNG)
      archive.addfile(info, io.BytesIO(PNG))
  with pytest.raises(UserError, match=r"holds 'a.png' twice"):
    PACKERS[form][0].open_source(epath.Path(path))


@pytest.mark.parametrize('form', PACKERS)
def test_without_images_it_says_what_is_there(tmp_path, form):
  module, pack = PACKERS[form]
  path = pack(tmp_path / f'a.{form}', {'a.txt': b'', 'b.txt': b'', 'c': b''})
  with pytest.raises(UserError, match=r'no images, only 2 \.txt, 1 with'):
    module.open_source(path)


@pytest.mark.parametrize('content', [b'', b'PK', b'PK\x03\x04' * 20, b'x' * 99])
def test_what_is_no_zip_is_refused(tmp_path, content):
  path = epath.Path(tmp_path / 'a.zip')
  path.write_bytes(content)
  with pytest.raises(UserError, match=r'a\.zip is a damaged zip file'):
    zips.open_source(path)


def test_a_zip_of_another_form_says_so(tmp_path):
  path = zipped(tmp_path / 'a.zip', {'bedroom_val_lmdb/data.mdb': b'x'})
  with pytest.raises(UserError, match=r'holds an LMDB: unzip it'):
    zips.open_source(path)


def test_a_bomb_takes_no_memory(tmp_path, monkeypatch):
  """A gigabyte of zeros in a megabyte; smaller here, and so is the limit."""
  path = zipped(
    tmp_path / 'bomb.zip',
    {'good.png': PNG, 'huge.png': bytes(1 << 24)},
    zipfile.ZIP_DEFLATED,
  )
  monkeypatch.setattr(base, 'MOST_BYTES', 1 << 20)
  source = zips.open_source(path)
  tracemalloc.start()
  with pytest.raises(base.BadImage, match='claims 16,777,216 bytes'):
    source.read(1)
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert peak < 1 << 20
  assert source.read(0) == PNG


def test_a_member_longer_than_it_claims_is_bad(tmp_path):
  """The list says 100 bytes; the stream goes on."""
  path = zipped(
    tmp_path / 'lies.zip', {'a.png': bytes(5000)}, zipfile.ZIP_DEFLATED
  )
  content = bytearray(path.read_bytes())
  size = (5000).to_bytes(4, 'little')
  at = content.rindex(size)  # in the central directory
  content[at : at + 4] = (100).to_bytes(4, 'little')
  path.write_bytes(bytes(content))
  with pytest.raises(base.BadImage):
    zips.open_source(path).read(0)


@pytest.mark.parametrize('packing', [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packings_are_bad(tmp_path, packing):
  """350 bytes of bzip2 become 300 MB before anybody can count them."""
  path = zipped(tmp_path / 'a.zip', {'a.png': bytes(5000)}, packing)
  with pytest.raises(base.BadImage, match='otherwise than by deflate'):
    zips.open_source(path).read(0)


@pytest.mark.parametrize('packing', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_whatever_byte_is_wrong_a_zip_says_so(tmp_path, packing):
  """In one line, or by images that are bad; never as another image."""
  labels = '{"labels": [["a.png", 0], ["b.png", 1]]}'
  path = zipped(
    tmp_path / 'a.zip',
    {'a.png': PNG, 'b.png': PNG[::-1], 'dataset.json': labels},
    packing,
  )
  whole = path.read_bytes()
  found = {'bad': 0, 'refused': 0}
  for at in range(len(whole)):
    damaged = bytearray(whole)
    damaged[at] ^= 0xFF
    path.write_bytes(damaged)
    try:
      source = zips.open_source(path)
      for i in range(len(source)):
        assert source.read(i) in (PNG, PNG[::-1])
    except base.BadImage:
      found['bad'] += 1
    except UserError as error:
      assert 'a.zip' in str(error)
      found['refused'] += 1
  assert found['bad'] > len(PNG)
  assert found['refused'] > 22  # the end of a zip
  for length in range(0, len(whole), 5):
    path.write_bytes(whole[:length])
    with pytest.raises(UserError, match=r'a\.zip is a damaged zip file'):
      zips.open_source(path)


def test_an_encrypted_member_is_bad(tmp_path):
  path = zipped(tmp_path / 'secret.zip', {'a.png': PNG})
  content = bytearray(path.read_bytes())
  for mark, offset in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
    content[content.index(mark) + offset] |= 1  # the flag of encryption
  path.write_bytes(bytes(content))
  with pytest.raises(base.BadImage, match='encrypted'):
    zips.open_source(path).read(0)


def test_labels_of_stylegans_zip(tmp_path):
  path = write_zip(tmp_path / 'a.zip', IMAGES, labels=[2, 0, 1, 2])
  labels = zips.open_source(epath.Path(path)).labels
  assert labels.names == ['0', '1', '2']
  np.testing.assert_array_equal(labels.of_images, [2, 0, 1, 2])


@pytest.mark.parametrize(
  'text', ['{"labels": null}', '{}', '{"labels": [["00.png", [0.5, 1]]]}',
           '{"labels": [["00.png", 1]]}', '{"labels": [["00.png", true],'
           '["01.png", true], ["02.png", true], ["03.png", true]]}'],
)  # fmt: skip
def test_no_labels_or_other_ones_are_left_aside(tmp_path, text):
  path = write_zip(tmp_path / 'a.zip', IMAGES)
  with zipfile.ZipFile(path, 'a') as archive:
    archive.writestr('dataset.json', text)
  assert zips.open_source(epath.Path(path)).labels is None


@pytest.mark.parametrize(
  'text', ['', '{', '[]', '{"labels": 3}', '[' * 100_000]
)
def test_damaged_labels_are_refused(tmp_path, text):
  path = write_zip(tmp_path / 'a.zip', IMAGES)
  with zipfile.ZipFile(path, 'a') as archive:
    archive.writestr('dataset.json', text)
  with pytest.raises(UserError, match=r'dataset\.json cannot be read'):
    zips.open_source(epath.Path(path))


def test_a_label_that_is_no_number_of_a_class_is_refused(tmp_path):
  path = write_zip(tmp_path / 'a.zip', IMAGES, labels=[1, 2, 3, 10**11])
  with pytest.raises(UserError, match=r'a\.zip.*100000000000; use numbers'):
    zips.open_source(epath.Path(path))


def test_webdataset_shards_with_classes(tmp_path):
  for name, images, labels in (
    ('000.tar', IMAGES[:3], [1, 0, 1]),
    ('001.tar', IMAGES[3:], [3]),
  ):
    write_tar(tmp_path / name, images, labels)
  source = tars.open_source(epath.Path(tmp_path))
  assert source.names[0] == '000.tar/00.png'
  assert source.names[3] == '001.tar/00.png'
  np.testing.assert_array_equal(source.labels.of_images, [1, 0, 1, 3])
  assert source.read(3) == png(IMAGES[3])


def a_tar(tmp_path, name='a.tar', **contents):
  names = {key.replace('_', '.'): value for key, value in contents.items()}
  return tarred(tmp_path / name, {'a.png': PNG, **names})


@pytest.mark.parametrize(
  'cut', [512, 700, 1024, 1024 + 100, 1024 + 512, 1024 + 512 + 100, 2048]
)
def test_a_tar_cut_anywhere_is_refused(tmp_path, cut):
  """At a header too, where tarfile sees nothing wrong: 2 blocks a member."""
  assert 100 < len(PNG) <= 512
  path = tarred(tmp_path / 'a.tar', {'a.png': PNG, 'b.png': PNG})
  path.write_bytes(path.read_bytes()[:cut])
  with pytest.raises(UserError, match=r'a\.tar is a damaged tar file \(.+\)'):
    tars.open_source(path)


@pytest.mark.parametrize('at', [0, 1024, 2048])
def test_no_member_of_a_tar_is_lost_with_its_header(tmp_path, at):
  path = tarred(tmp_path / 'a.tar', {f'{i}.png': PNG for i in range(3)})
  content = bytearray(path.read_bytes())
  content[at] ^= 1
  path.write_bytes(content)
  with pytest.raises(UserError, match=r'a\.tar is a damaged tar file'):
    tars.open_source(path)


def test_a_member_of_less_than_nothing_ends_the_list(tmp_path):
  path = a_tar(tmp_path)
  content = bytearray(path.read_bytes())
  content[124:136] = (-1024).to_bytes(12, 'big', signed=True)
  content[148:156] = b' ' * 8
  content[148:156] = b'%06o\0 ' % sum(content[:512])
  path.write_bytes(content)
  with pytest.raises(UserError, match='damaged tar file'):
    tars.open_source(path)


def test_folders_in_a_tar_are_not_counted(tmp_path):
  path = a_tar(tmp_path)
  with tarfile.open(path, 'a') as archive:
    info = tarfile.TarInfo('b')
    info.type = tarfile.DIRTYPE
    archive.addfile(info)
  assert tars.open_source(path).left_out == {}


def test_classes_are_found_as_webdataset_does(tmp_path):
  """By the name before the first dot, and not in what a Mac puts beside."""
  path = tarred(
    tmp_path / 'a.tar',
    {
      'b/0.rgb.png': PNG, 'b/0.CLS': b'2\n', '1.5/v1.2.png': PNG,
      '1.5/v1.2.cls': b'0', '._v1.cls': b'\0\5\x16\7', '0.json': b'{}',
    },
  )  # fmt: skip
  source = tars.open_source(path)
  np.testing.assert_array_equal(source.labels.of_images, [2, 0])
  assert source.left_out == {'hidden': 1, '.json': 1}


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    (b'', 'a.cls is not the number'), (b'-1', 'a.cls is not the number'),
    (b'cat', 'a.cls is not the number'), (b'9' * 5000, 'a.cls is not the num'),
    (b'99999999999', 'the class 99999999999; use numbers below'),
  ],
)  # fmt: skip
def test_classes_that_are_none_are_refused(tmp_path, text, message):
  with pytest.raises(UserError, match=f'a.tar.*{message}'):
    tars.open_source(a_tar(tmp_path, a_cls=text))


def test_links_in_a_tar_are_not_followed(tmp_path):
  path = tarred(tmp_path / 'a.tar', {'a.png': PNG, 'b.png': '/etc/passwd'})
  source = tars.open_source(path)
  assert source.names == ['a.png']
  assert source.left_out == {'link or device': 1}


@pytest.mark.parametrize(
  ('start', 'unpack'),
  [
    (b'\x1f\x8b', 'gunzip'), (b'BZh9', 'bunzip2'),
    (b'\xfd7zXZ', 'unxz'), (b'\x28\xb5\x2f\xfd', 'unzstd'),
  ],
)  # fmt: skip
def test_a_packed_tar_says_how_to_unpack_it(tmp_path, start, unpack):
  for name in ('a.tar.x', 'a.TAR.X', 'a.tgz', 'a.TBZ2', 'a.txz'):
    path = epath.Path(tmp_path / name)
    path.write_bytes(start + bytes(600))
    assert tars.holds(path)
    with pytest.raises(UserError, match=f'{name} is packed.*{unpack} it first'):
      tars.open_source(path)
