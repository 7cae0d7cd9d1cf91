"""`alae evaluate`: the numbers are told whatever becomes of the record."""

import os
import pathlib

from tests.support import example_runs
from tests.support.verbs import alae


def test_numbers_that_cannot_be_recorded_are_told(tmp_path, capsys):
  run = example_runs.mlp_run(tmp_path / 'run')
  metrics = pathlib.Path(run) / 'metrics.jsonl'
  os.symlink(tmp_path / 'not_there' / 'metrics.jsonl', metrics)
  alae('evaluate', run, '--metrics', 'probe')
  printed = capsys.readouterr()
  assert 'probe/' in printed.out
  assert printed.err.count('\n') == 1
  assert f'not recorded: {metrics}: No such file' in printed.err
