"""The pages of docs/ and the README: what they name is there.

Sphinx refuses links of the site that lead nowhere; the README and its links
into the pages are read as files.
"""

import re
import shlex

import pytest

import alae_jax
from alae_jax import cli
from alae_jax import config as config_lib
from tests.support import pages

FIELDS = config_lib.flatten(config_lib.default())
# What looks like a field.
FILES = {'log.txt', 'model.pth', 'model.pure', 'model.safetensors'}


def anchors(page):
  """The anchors of a page's headings, as GitHub and MyST make them."""
  headings = re.findall(r'^#+ (.+)$', pages.prose(page), re.MULTILINE)
  return {
    re.sub(r'[^\w\- ]', '', heading.lower()).strip().replace(' ', '-')
    for heading in headings
  }


@pytest.mark.parametrize('page', pages.PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
  for link in re.findall(r'\]\(([^)\s]+)\)', pages.prose(page)):
    if re.match(r'https?:', link):
      continue
    name, _, anchor = link.partition('#')
    target = page.parent / name if name else page
    assert target.exists(), link
    assert not anchor or anchor in anchors(target), link


def test_links_into_the_repository_lead_somewhere():
  ours = r'github\.com/alae-jax/alae_jax/(?:blob|tree)/main/([^)#\s]+)\)'
  found = [
    name
    for page in pages.PAGES
    for name in re.findall(rf'\(https://{ours}', page.read_text())
  ]
  assert found
  for name in found:
    assert (pages.ROOT / name).exists(), name


def test_every_page_is_in_the_readme():
  readme = pages.README.read_text()
  for page in pages.DOCS.glob('*.md'):
    # The start page is the README's twin; these are made of the code.
    if page.stem not in ('index', 'api', 'modules', 'changes'):
      assert f'(docs/{page.name})' in readme, page.name


@pytest.mark.parametrize('verb', cli.VERBS)
def test_every_verb_is_told(verb):
  table = (pages.DOCS / 'commands.md').read_text()
  assert f'| [`alae {verb}`]' in table
  assert cli.VERBS[verb].summary in table
  typed = [line for page in pages.PAGES for line in pages.commands(page)]
  assert any(re.match(rf'alae {verb}\b', line) for line in typed)


def test_every_recipe_is_told():
  readme, runs = pages.README.read_text(), pages.DOCS / 'runs.md'
  for path in (pages.ROOT / 'experiments').glob('*.py'):
    assert f'`{path.stem}`' in readme, path.stem
    assert f'`{path.name}`' in runs.read_text(), path.name


def test_every_name_to_import_is_in_the_reference():
  text = (pages.DOCS / 'api.md').read_text()
  for name in set(alae_jax._LATER) - {'load_ipython_extension'}:
    assert f':: alae_jax.{name}' in text


@pytest.mark.parametrize('page', pages.PAGES, ids=lambda page: page.name)
def test_commands_can_be_typed(page):
  """What each verb takes, and every recipe and field that is named."""
  for line in pages.commands(page):
    words = shlex.split(line.replace('python -m alae_jax.main', 'alae train'))
    if words[0] != 'alae' or words[1] == 'VERB':
      continue
    words = [word for word in words[1:] if word != '...']
    _, verb = cli.build_parser(words[0])
    args, rest = verb.parse_known_args(cli._join_negative(words[1:]))
    if words[0] == 'train':
      config_lib.read_config(args.config, rest)
    else:
      assert all(word.startswith('--config.') for word in rest), line


@pytest.mark.parametrize('page', pages.PAGES, ids=lambda page: page.name)
def test_fields_that_are_named_exist(page):
  section = '|'.join(config_lib.default())
  named = rf'\b(?:{section})\.[a-z][a-z0-9_]*\b(?!\.)'
  for code in re.findall(r'`([^`\n]+)`', pages.prose(page)):
    for field in re.findall(rf'(?:^|--config\.){named}', code):
      assert field.removeprefix('--config.') in {*FIELDS, *FILES}, field


def test_pictures_are_there_and_small():
  shown = set(
    re.findall(
      r'\((?:docs/)?images/(\S+)\)',
      ''.join(page.read_text() for page in pages.PAGES),
    )
  )
  there = {path.name for path in (pages.DOCS / 'images').iterdir()}
  assert shown == there
  sizes = [path.stat().st_size for path in (pages.DOCS / 'images').iterdir()]
  assert sum(sizes) < 300_000
