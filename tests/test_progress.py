"""A bar on a terminal, plain lines elsewhere."""

import io
import subprocess
import sys
import threading
import types

import pytest
import tqdm
from tqdm import notebook

from alae_jax import progress


@pytest.fixture
def clock(monkeypatch):
  now = types.SimpleNamespace(seconds=100.0)
  monkeypatch.setattr(progress.time, 'monotonic', lambda: now.seconds)
  return now


def test_lines_come_at_intervals_and_tell_how_far_it_is(clock):
  said = []
  lines = progress.Lines('8x8', 10_000, 1_000, 'images', said.append)
  clock.seconds += 50  # a compilation, which is no part of the speed
  lines.update(0)
  for _ in range(20):
    clock.seconds += 1
    lines.set_postfix_str('D 1.386')
    lines.update(100)
  assert said == [
    '8x8: 2,000 of 10,000 images (20%), 100.0/s, 01:20 left, D 1.386'
  ]
  clock.seconds += 60
  lines.update(1000)
  assert said[1:] == [
    '8x8: 4,000 of 10,000 images (40%), 28.6/s, 03:30 left, D 1.386'
  ]


def test_without_a_total_nothing_is_left_to_tell(clock):
  said = []
  lines = progress.Lines('reading', say=said.append)
  lines.update()
  clock.seconds += 10
  lines.update(9)
  assert said == ['reading: 10, 0.9/s']


def test_a_log_gets_lines_and_a_terminal_gets_a_bar(monkeypatch):
  assert isinstance(progress.start('reading', 3), progress.Lines)

  class Terminal(io.StringIO):
    def isatty(self):
      return True

  terminal = Terminal()
  monkeypatch.setattr(sys, 'stderr', terminal)
  bar = progress.start('reading', 3, unit='images')
  bar.update(2)
  progress.say('a line')
  bar.close()
  # The bar is wiped before the line, and drawn again below it.
  assert 'reading' in terminal.getvalue()
  assert '\ra line\n' in terminal.getvalue().replace(' ' * 10, '').replace(
    ' ', ''
  ).replace('aline', 'a line')


def test_items_pass_unchanged():
  assert list(progress.over(iter('abc'), 'letters')) == ['a', 'b', 'c']


def test_what_takes_long_is_told(monkeypatch, capsys):
  monkeypatch.setattr(progress, 'SECONDS_BEFORE_TELLING', 0.01)
  told = threading.Event()
  say = progress.say
  monkeypatch.setattr(progress, 'say', lambda line: (say(line), told.set()))
  with progress.telling('loading a run'):
    assert told.wait(10)
  assert capsys.readouterr().err == 'loading a run ...\n'


def test_what_is_quick_is_not_told(monkeypatch, capsys):
  monkeypatch.setattr(progress, 'SECONDS_BEFORE_TELLING', 3600)
  with progress.telling('nothing'):
    pass
  assert capsys.readouterr().err == ''


@pytest.fixture
def notebook_shows(monkeypatch):
  """Makes this process a notebook's kernel, without ipywidgets.

  Gives what it shows: a list for each place, of all that has stood there.
  """
  places = []

  def display(forms, raw, display_id):
    assert raw and display_id
    places.append([forms])
    return types.SimpleNamespace(
      update=lambda forms, raw: places[-1].append(forms)
    )

  shell = types.ModuleType('IPython')
  shell.get_ipython = lambda: types.SimpleNamespace(kernel=object())
  shell.display = types.ModuleType('IPython.display')
  shell.display.display = display
  monkeypatch.setitem(sys.modules, 'IPython', shell)
  monkeypatch.setitem(sys.modules, 'IPython.display', shell.display)
  monkeypatch.setitem(sys.modules, 'ipywidgets', None)  # it is missing
  return places


def test_a_notebook_gets_its_own_bar_where_it_can_show_one(
  notebook_shows, monkeypatch
):
  monkeypatch.setitem(sys.modules, 'ipywidgets', types.ModuleType('ipywidgets'))
  assert progress._kind_of_bar() is notebook.tqdm


def test_a_notebook_without_bars_gets_one_line_that_changes(
  notebook_shows, clock
):
  for title in ('8x8', '16x16'):
    lines = progress.start(title, 1000, unit='images')
    for _ in range(3):
      lines.update(100)
      clock.seconds += 2
    lines.close()
  assert [[forms['text/plain'] for forms in one] for one in notebook_shows] == [
    [
      f'{title}: {done} of 1,000 images ({done // 10}%), 50.0/s, 00:{left} left'
      for done, left in ((200, 16), (300, 14))
    ]
    for title in ('8x8', '16x16')
  ]


def test_a_notebook_shows_nothing_in_red(notebook_shows, capsys):
  progress.say('reading ...')
  assert capsys.readouterr() == ('reading ...\n', '')


def test_threads_that_speak_at_once_share_a_lock_from_the_start():
  """Made at the first word, it was made twice, and one waited for ever."""
  program = (
    'import tqdm; from alae_jax import progress; '
    'before = tqdm.tqdm.__dict__["_lock"]; progress.say(""); '
    'assert tqdm.tqdm.get_lock() is before'
  )
  subprocess.run([sys.executable, '-c', program], check=True)


def test_a_line_leaves_alone_the_bars_of_a_notebook(monkeypatch, capsys):
  class HalfMade(tqdm.tqdm):
    """As tqdm.notebook's are, to other threads, while they are made."""

    def display(self, *_, **__):
      raise AttributeError('container')

  bar = object.__new__(HalfMade)
  bar.fp, bar.pos, bar.start_t = sys.stdout, 0, 0.0
  monkeypatch.setattr(progress, 'in_notebook', lambda: True)
  tqdm.tqdm._instances.add(bar)
  try:
    progress.say('starting ...')
  finally:
    tqdm.tqdm._instances.discard(bar)
  assert capsys.readouterr() == ('starting ...\n', '')
