"""metrics.jsonl, with whatever may be in it."""

import json
import os

import pytest
from etils import epath

from alae_jax.runs import records

FIRST = b'{"images_seen": 16, "seconds": 1.5, "loss": 2}\n'
SECOND = b'{"loss": 1,  "images_seen": 32, "seconds": 2.5}\n'
STRANGE = [
  b'3\n',
  b'[1]\n',
  b'null\n',
  b'"images_seen"\n',
  b'\xff\xfe\x80\n',
  b'{"images_seen": 1\n',
  b'{"loss": 1}\n',
  b'{"images_seen": "16"}\n',
  b'{"images_seen": NaN}\n',
  b'{"images_seen": 1e999}\n',
  b'{"images_seen": 1' + b'0' * 400 + b'}\n',
  b'{"images_seen": true}\n',
  b'{"images_seen": null}\n',
  b'[' * 100_000 + b'\n',
]


@pytest.fixture
def path(tmp_path):
  return epath.Path(tmp_path / 'metrics.jsonl')


@pytest.mark.parametrize('line', STRANGE, ids=lambda line: repr(line[:24]))
def test_what_is_no_record_is_skipped_and_stays(path, line):
  path.write_bytes(FIRST + line + b'\n' + SECOND)
  assert records.read(path) == [json.loads(FIRST), json.loads(SECOND)]
  assert records.strange_lines(path) == [2]
  assert records.seconds_trained(path, 32) == 2.5
  records.rewind(path, 16)
  assert path.read_bytes() == FIRST + line + b'\n'


def test_records_stay_as_they_are_written(path):
  path.write_bytes(FIRST + SECOND)
  before = os.stat(path)
  records.rewind(path, 32)
  assert os.stat(path) == before


def test_a_last_line_that_a_kill_cut_short(path):
  path.write_bytes(FIRST + SECOND[:20])
  records.append(path, {'images_seen': 48})
  assert [r['images_seen'] for r in records.read(path)] == [16, 48]
  path.write_bytes(FIRST + SECOND[:20])
  records.rewind(path, 32)
  assert path.read_bytes() == FIRST


def test_a_last_record_may_lack_its_newline(path):
  path.write_bytes(FIRST + SECOND.rstrip())
  records.rewind(path, 32)
  records.append(path, {'images_seen': 48})
  assert [r['images_seen'] for r in records.read(path)] == [16, 32, 48]


@pytest.mark.parametrize('seconds', ['"2"', 'NaN', 'true', 'null', '[2]'])
def test_seconds_that_are_no_number(path, seconds):
  line = f'{{"images_seen": 32, "seconds": {seconds}}}\n'
  path.write_bytes(FIRST + line.encode())
  assert len(records.read(path)) == 2
  assert records.seconds_trained(path, 32) == 1.5


def test_no_file_has_no_records(path):
  records.rewind(path, 0)
  assert not path.exists()
  assert records.read(path) == records.strange_lines(path) == []
