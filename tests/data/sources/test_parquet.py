"""Parquet files that are damaged, or at odds."""

import pytest
from etils import epath

from alae_jax.data.sources import base, parquet
from alae_jax.errors import UserError


def test_a_folder_without_parquet_is_refused(tmp_path):
  with pytest.raises(UserError, match='there is no'):
    parquet.open_source(epath.Path(tmp_path))


def _write_table(path, **columns):
  import pyarrow
  import pyarrow.parquet

  pyarrow.parquet.write_table(pyarrow.table(columns), path)


def test_files_of_unlike_columns_are_refused(tmp_path):
  _write_table(tmp_path / 'a.parquet', image=[b'x'])
  _write_table(tmp_path / 'b.parquet', photo=[b'x'])
  with pytest.raises(UserError, match="no column 'image'"):
    parquet.open_source(epath.Path(tmp_path))


@pytest.mark.parametrize('label', [[1, None], [0.5, 1.0], [[1], [2]]])
def test_odd_labels_of_a_table_are_none(tmp_path, label):
  _write_table(tmp_path / 'a.parquet', image=[b'x', b'y'], label=label)
  assert parquet.open_source(epath.Path(tmp_path)).labels is None


def test_a_tables_class_is_bounded(tmp_path):
  _write_table(tmp_path / 'a.parquet', image=[b'x'], label=[1 << 60])
  with pytest.raises(UserError, match='class'):
    parquet.open_source(epath.Path(tmp_path))


def test_a_row_that_went_is_a_bad_image(tmp_path):
  _write_table(tmp_path / 'a.parquet', image=[b'x', b'y'])
  source = parquet.open_source(epath.Path(tmp_path))
  _write_table(tmp_path / 'a.parquet', image=[b'x'])
  with pytest.raises(base.BadImage, match='no longer'):
    source.read(1)
