"""What the README shows in Python runs as it stands there."""

import pathlib
import re

from tests.support import example_runs
from tests.support.runs import make_tiny_config
from tests.support.verbs import pixels

README = pathlib.Path(__file__).parents[1] / 'README.md'


def test_the_readmes_python_runs(tmp_path, monkeypatch):
  (snippet,) = re.findall(r'```python\n(.*?)```', README.read_text(), re.DOTALL)
  # Images stay near [-1, 1], as those of a trained run do.
  config = make_tiny_config()
  example_runs.write_run(tmp_path / 'runs' / 'digits', config, scale=0.3)
  monkeypatch.chdir(tmp_path)
  names = {}
  exec(snippet, names)
  assert pixels('samples.png').shape == (4 * 66 + 2, 4 * 66 + 2)
  assert names['results'].shape == (16, 8, 8, 1)
  w = names['model'].encode(names['samples'])
  assert names['distance'](names['w']) < names['distance'](w)
