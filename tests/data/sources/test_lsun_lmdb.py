"""LMDBs that are damaged, or none."""

import os

import pytest
from etils import epath

from alae_jax.data.sources import lsun_lmdb
from alae_jax.errors import UserError


def test_an_lmdb_cut_short_is_refused_before_it_is_touched(tmp_path):
  lmdb = pytest.importorskip('lmdb')
  with lmdb.open(str(tmp_path), map_size=1 << 24) as database:
    for i in range(100):
      with database.begin(write=True) as transaction:
        transaction.put(b'%08d' % i, bytes(5000))
  file = tmp_path / 'data.mdb'
  os.truncate(file, file.stat().st_size // 2)
  with pytest.raises(UserError, match='cut short'):
    lsun_lmdb.open_source(epath.Path(tmp_path))


def test_a_folder_without_an_lmdb_is_refused(tmp_path):
  with pytest.raises(UserError, match='there is no'):
    lsun_lmdb.open_source(epath.Path(tmp_path))


def test_no_two_keys_have_one_name(tmp_path):
  lmdb = pytest.importorskip('lmdb')
  with lmdb.open(str(tmp_path), map_size=1 << 20) as database:
    for key in b'\xff', b'\\xff':
      with database.begin(write=True) as transaction:
        transaction.put(key, b'x')
  assert len(set(lsun_lmdb.open_source(epath.Path(tmp_path)).names)) == 2
