"""What the README and the page on editing show in Python runs as it stands."""

import pytest

from tests.support import example_runs, pages
from tests.support.runs import make_tiny_config
from tests.support.verbs import pixels


@pytest.fixture
def run(tmp_path, monkeypatch):
  """Does what the one piece of Python on a page says, beside runs/digits."""
  # Images stay near [-1, 1], as those of a trained run do.
  config = make_tiny_config()
  example_runs.write_run(tmp_path / 'runs' / 'digits', config, scale=0.3)
  monkeypatch.chdir(tmp_path)

  def run_page(page):
    ((_, snippet),) = pages.blocks(page, 'python')
    names = {}
    exec(snippet, names)
    return names

  return run_page


def test_the_readmes_python_runs(run):
  names = run(pages.README)
  assert pixels('samples.png').shape == (4 * 66 + 2, 4 * 66 + 2)
  assert names['results'].shape == (16, 8, 8, 1)


def test_a_gradient_leads_where_the_page_says(run):
  names = run(pages.DOCS / 'editing.md')
  w = names['model'].encode(names['samples'])
  assert names['distance'](names['w']) < names['distance'](w)
