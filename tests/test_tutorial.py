"""The tutorial, typed as it stands on its page, with a short training."""

import re
import shlex

import pytest
from PIL import Image, ImageDraw

from tests.support import pages
from tests.support.verbs import alae

TUTORIAL = pages.DOCS / 'tutorial.md'
# What the reader has done before, here and in `.ci/run`.
INSTALLING = ('git', 'cd', 'python3', 'source', 'pip')
SHORT = (
  '--config.train.images=4800',
  '--config.model.hidden=(64,64)',
  '--config.log.checkpoint_images=4800',
  '--config.evaluation.at_end=()',
)


def photograph():
  """A three in ink on paper, beside the middle."""
  photo = Image.new('L', (300, 400), 190)
  points = [(90, 100), (200, 90), (120, 200), (200, 260), (90, 330)]
  ImageDraw.Draw(photo).line(points, fill=40, width=14)
  photo.save('photo.jpg')


def type_in(line):
  """Does what a line of the page says; training is cut short."""
  program, *words = shlex.split(line)
  if program not in INSTALLING:
    assert program == 'alae'
    alae(*words, *(SHORT if words[0] == 'train' else ()))


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  photograph()
  for language, text in pages.blocks(TUTORIAL, 'bash', 'python'):
    if language == 'python':
      exec(text, {})
    else:
      for line in text.replace('\\\n', '').splitlines():
        type_in(line)
  files = r'`((?:[a-z]+/)?[a-z0-9_]+\.(?:png|gif|npy|json))`'
  named = set(re.findall(files, pages.prose(TUTORIAL)))
  assert {'images/grid.png', 'mine.png', 'between/interpolate.gif'} <= named
  for name in named | {'edited.png'}:
    assert (tmp_path / name).exists(), name
