"""What a release says of itself."""

import ast
import pathlib
import re
import tomllib

from alae_jax import __version__

ROOT = pathlib.Path(__file__).parents[1]


def test_the_version_is_in_one_place():
  """A literal, which setuptools reads where jax is not installed."""
  pyproject = tomllib.loads((ROOT / 'pyproject.toml').read_text())
  assert 'version' not in pyproject['project']
  assert pyproject['tool']['setuptools']['dynamic'] == {
    'version': {'attr': 'alae_jax.__version__'}
  }
  text = (ROOT / 'alae_jax' / '__init__.py').read_text()
  literals = [
    ast.literal_eval(node.value)
    for node in ast.parse(text).body
    if isinstance(node, ast.Assign)
    and ast.unparse(node.targets[0]) == '__version__'
  ]
  assert literals == [__version__]


def test_the_repository_has_one_address():
  """What notebooks install, badges open and documents link is the same."""
  pyproject = tomllib.loads((ROOT / 'pyproject.toml').read_text())
  address = pyproject['project']['urls']['Repository']
  repository = address.removeprefix('https://github.com/')
  texts = ['*.md', '*.cff', 'docs/**/*.*', 'notebooks/*', 'alae_jax/**/*.py']
  found = {
    (path.name, name)
    for pattern in texts
    for path in ROOT.glob(pattern)
    for name in re.findall(
      r'github(?:\.com)?/([\w.-]+/alae_jax)\b',
      path.read_text(errors='replace'),
    )
  }
  assert found
  assert {name for _, name in found} == {repository}, found
