import jax
import pytest
from etils import epath

from alae_jax.errors import UserError
from alae_jax.runs.folder import RunFolder, stored_config, write_config
from alae_jax.training.opening import own


def test_a_folder_that_has_just_changed_is_refused(tiny_config, tmp_path):
  folder = RunFolder(epath.Path(tmp_path))
  write_config(folder, tiny_config)
  with (
    pytest.raises(UserError, match='has just changed: start again'),
    own(folder, None),
  ):
    pass
  stored = stored_config(folder)
  with own(folder, stored) as owner:
    assert owner is not None


def test_a_later_process_takes_the_firsts_writing_for_no_change(
  tiny_config, tmp_path, monkeypatch
):
  """Of a job, the first writes the config as soon as it owns the folder."""
  folder = RunFolder(epath.Path(tmp_path))
  write_config(folder, tiny_config)
  monkeypatch.setattr(jax, 'process_index', lambda: 1)
  with own(folder, None) as owner:
    assert owner is None
