"""The map of the code holds: a file imports only from files before it."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).parent.parent / 'alae_jax'

# From the ground up. A folder stands for all of its files.
ORDER = [
  'errors',
  'storage',
  'config',
  'config_file',
  'growth',
  'mesh',
  'ops',
  'models',
  'data',
  'objectives',
  'state',
  'step',
  'runs',
  'checkpoint',
  'interop',
  'pieces',
  'model',
  'telemetry',
  'pictures',
  'snapshots',
  'evaluation',
  'loading',
  'exporting',
  'preemption',
  'watch',
  'loop',
  'dry_run',
  'main',
  'animation',
  'directions',
  'commands',
  'cli',
  '__main__',
]


def place(module):
  return ORDER.index(module.split('.')[1])


def imports_of(path):
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.ImportFrom) and node.module:
      if node.module == 'alae_jax':
        yield from (
          f'alae_jax.{alias.name}'
          for alias in node.names
          if alias.name != '__version__'
        )
      elif node.module.startswith('alae_jax.'):
        yield node.module


def modules():
  for path in sorted(ROOT.rglob('*.py')):
    parts = path.relative_to(ROOT.parent).with_suffix('').parts
    if parts != ('alae_jax', '__init__'):
      yield '.'.join(parts), path


def test_every_module_has_its_place():
  assert {name.split('.')[1] for name, _ in modules()} == set(ORDER)


def test_imports_go_one_way():
  wrong = [
    (name, imported)
    for name, path in modules()
    for imported in imports_of(path)
    if place(imported) > place(name)
  ]
  assert not wrong


def test_only_the_top_sees_a_config():
  """Networks, operations and objectives take plain arguments."""
  for name, path in modules():
    if name.split('.')[1] in ('ops', 'objectives') or (
      'models' in name and not name.endswith('networks')
    ):
      assert 'config' not in path.read_text(), name
