"""The map of the code holds: a folder imports only from those before it.

The checker reads every form of import and is itself tested, on a small package
with one offence of each kind.
"""

import ast
import importlib.util
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent / 'alae_jax'
TESTS = ROOT.parent / 'tests'

# From the ground up. A folder stands for all of its files.
ORDER = [
  'errors',
  'storage',
  'progress',
  'sharding',
  'config',
  'ops',
  'models',
  'methods',
  'data',
  'runs',
  'inference',
  'formats',
  'metrics',
  'training',
  'commands',
  'cli',
  'main',
  '__main__',
]


def modules(root):
  """{dotted name: path} of a package; a folder's own is its __init__."""
  found = {}
  for path in sorted(root.rglob('*.py')):
    parts = path.relative_to(root.parent).with_suffix('').parts
    name = '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)
    found[name] = path
  return found


def imports_of(name, known):
  """The modules among `known` that one imports, in whatever form."""
  path = known[name]
  package = name if path.name == '__init__.py' else name.rpartition('.')[0]
  found = set()
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      found |= {resolve(alias.name, known) for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      base = absolute('.' * node.level + (node.module or ''), package)
      found |= {
        resolve(f'{base}.{alias.name}', known)
        for alias in node.names
        if alias.name != '__version__'
      }
    elif isinstance(node, ast.Call) and is_import_call(node.func):
      values = [*node.args, *(keyword.value for keyword in node.keywords)]
      found |= {
        resolve(absolute(value.value, package), known)
        for value in values
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
      }
  return found - {None, name}


def absolute(dotted, package):
  """A dotted name that may be relative to a package, from the top."""
  return importlib.util.resolve_name(dotted, package)


def is_import_call(function):
  name = (
    function.attr
    if isinstance(function, ast.Attribute)
    else (function.id if isinstance(function, ast.Name) else '')
  )
  return name in ('import_module', '__import__')


def resolve(dotted, known):
  """The module that a dotted name is, or is in; None for another package's."""
  while dotted:
    if dotted in known:
      return dotted
    dotted = dotted.rpartition('.')[0]
  return None


def place(name, order):
  """Where a module of the package stands."""
  return order.index(name.split('.')[1])


def upward(root, order):
  """(module, imported) where a file imports from a later room, or the top."""
  known = modules(root)
  found = []
  for name in known:
    if name == root.name:
      continue  # it imports what users need, when they ask for it
    for imported in imports_of(name, known):
      if imported == root.name or place(imported, order) > place(name, order):
        found.append((name, imported))
  return found


def circle(root):
  """A circle of files that import one another, or None."""
  known = modules(root)
  package = root.name
  graph = {
    name: sorted(imports_of(name, known) - {package})
    for name in known
    if name != package
  }
  done = set()

  def visit(name, trail):
    if name in trail:
      return [*trail[trail.index(name) :], name]
    if name in done:
      return None
    for imported in graph[name]:
      found = visit(imported, [*trail, name])
      if found:
        return found
    done.add(name)
    return None

  for name in graph:
    found = visit(name, [])
    if found:
      return found
  return None


def strings_of(path):
  """The text of a file that is not documentation."""
  tree = ast.parse(path.read_text())
  documentation = {
    id(node.body[0].value)
    for node in ast.walk(tree)
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    and node.body
    and isinstance(node.body[0], ast.Expr)
  }
  for node in ast.walk(tree):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
      yield '' if id(node) in documentation else node.value


def below_commands():
  """(name, path) of the files that know no command line."""
  end = ORDER.index('commands')
  for name, path in modules(ROOT).items():
    if name != ROOT.name and place(name, ORDER) < end:
      yield name, path


def test_every_module_has_its_place():
  rooms = {name.split('.')[1] for name in modules(ROOT) if '.' in name}
  assert rooms == set(ORDER)


def test_the_root_can_be_taken_in_at_a_glance():
  assert len(list(ROOT.glob('*.py'))) <= 8


def test_imports_go_one_way():
  assert not upward(ROOT, ORDER)


def test_files_do_not_go_in_circles():
  assert circle(ROOT) is None


def test_only_the_top_sees_a_config():
  """Networks, operations and objectives take plain arguments."""
  for name, path in modules(ROOT).items():
    room = name.split('.')[1] if '.' in name else ''
    if (
      room == 'ops'
      or name.endswith('.objectives')
      or (room == 'models' and not name.endswith('networks'))
    ):
      assert 'config' not in path.read_text(), name


def test_no_command_line_below_the_commands():
  """No argparse, and no flag in a message, but for whole commands to type."""
  for name, path in below_commands():
    assert 'argparse' not in path.read_text(), name
    if name in ('alae_jax.data.datasets', 'alae_jax.data.prepared'):
      continue  # they tell whole commands to type: alae prepare ...
    for text in strings_of(path):
      flags = set(re.findall(r'--[a-z_]+', text))
      assert flags <= {'--config', '--change', '--help'}, (name, text)


def test_nobody_asks_a_network_what_it_is():
  for name, path in modules(ROOT).items():
    text = path.read_text()
    assert 'hasattr(' not in text, name
    for question in ('kind ==', 'kind !=', 'active_layers == 1'):
      allowed = name == 'alae_jax.formats.release_file'  # a kind of weights
      assert question not in text or allowed, (name, question)


def test_tests_lie_in_the_same_folders():
  rooms = {
    path.relative_to(ROOT)
    for path in ROOT.rglob('*')
    if path.is_dir() and path.name != '__pycache__'
  }
  for path in TESTS.rglob('test_*.py'):
    folder = path.parent.relative_to(TESTS)
    assert folder == pathlib.Path('.') or folder in rooms, path


def test_what_tests_share_is_in_support():
  known = modules(TESTS)
  for name in known:
    for imported in imports_of(name, known):
      assert not imported.split('.')[-1].startswith('test_'), (name, imported)
  for name, path in modules(ROOT).items():
    assert 'import tests' not in path.read_text(), name
    assert 'from tests' not in path.read_text(), name


# The checker itself.


@pytest.fixture
def package(tmp_path):
  """Writes a package `p` with the rooms `low` and `high`."""

  def write(**files):
    root = tmp_path / 'p'
    defaults = {
      '__init__': '',
      'low/__init__': '',
      'low/a': '',
      'low/b': '',
      'low/c': '',
      'high/__init__': '',
      'high/x': 'def function(): pass',
    }
    for name, text in {**defaults, **files}.items():
      path = root / f'{name}.py'
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(text)
    return root

  return write


@pytest.mark.parametrize(
  'statement',
  [
    'import p.high.x',
    'import p.high.x as y',
    'import os, p.high',
    'from p.high import x',
    'from p.high.x import function',
    'from p import high',
    'from p.high import *',
    'from p import x_of_the_top',
    'from ..high import x',
    'from .. import high',
    'from ..high.x import function as f',
    'def later():\n  from p.high import x',
    'if TYPE_CHECKING:\n  import p.high.x',
    'try:\n  import p.high\nexcept ImportError: pass',
    "import importlib\nimportlib.import_module('p.high.x')",
    "import_module(name='p.high.x')",
    "import_module('..high.x', package=__package__)",
    "__import__('p.high.x')",
  ],
)
def test_every_form_of_import_is_read(package, statement):
  found = upward(package(**{'low/a': statement}), ['low', 'high'])
  assert [name for name, _ in found] == ['p.low.a']
  assert not upward(package(**{'low/a': ''}), ['low', 'high'])


def test_what_is_allowed_passes(package):
  root = package(
    **{
      'high/x': 'from p.low.a import thing\nimport p.low.b\nimport os',
      'low/a': 'from p.low import b\nfrom . import c',
    }
  )
  assert not upward(root, ['low', 'high'])
  assert circle(root) is None


@pytest.mark.parametrize(
  'files',
  [
    {'low/a': 'from p.low import b', 'low/b': 'import p.low.a'},
    {
      'low/a': 'from . import b',
      'low/b': 'from p.low.c import thing',
      'low/c': 'def late():\n  from p.low.a import thing',
    },
    {'low/__init__': 'from p.low import a', 'low/a': 'from p.low import f'},
  ],
)
def test_circles_are_found(package, files):
  found = circle(package(**files))
  assert found
  assert found[0] == found[-1]
  assert len(found) == len(files) + 1
