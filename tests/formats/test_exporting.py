"""What `alae export` refuses before it loads a model."""

import pytest

from alae_jax import cli
from alae_jax.formats import exporting


@pytest.mark.parametrize(
  ('made', 'said'),
  [
    ('out', '--out {out} is a file: name a folder'),
    ('out/model.pth', '{out}/model.pth exists: name another folder'),
  ],
)
def test_nothing_is_loaded_where_nothing_can_be_written(
  tmp_path, capsys, monkeypatch, made, said
):
  def load_state(*_):
    raise AssertionError('loaded')

  monkeypatch.setattr(exporting, 'load_state', load_state)
  (tmp_path / made).parent.mkdir(exist_ok=True)
  (tmp_path / made).touch()
  out = tmp_path / 'out'
  assert (
    cli.main(['export', 'a_run', '--format', 'release', '--out', str(out)]) == 2
  )
  assert capsys.readouterr().err == f'alae: {said.format(out=out)}\n'
