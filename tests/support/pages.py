"""The pages of the documentation, and what stands on them."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / 'docs'
README = ROOT / 'README.md'
PAGES = [README, ROOT / 'CONTRIBUTING.md', *sorted(DOCS.glob('*.md'))]

_FENCE = re.compile(r'^```([^\n]*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def blocks(page, *languages):
  """[(language, text)] of a page's fenced blocks in some languages."""
  found = _FENCE.findall(page.read_text())
  return [(name, text) for name, text in found if name in languages]


def prose(page):
  """A page without its fenced blocks."""
  return _FENCE.sub('', page.read_text())


def commands(page):
  """The lines that a reader may type, without what a # explains."""
  for _, text in blocks(page, '', 'bash'):
    for line in text.replace('\\\n', ' ').splitlines():
      for command in line.partition('  #')[0].split('&&'):
        if command.strip():
          yield command.strip()
