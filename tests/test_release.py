"""What a release says of itself."""

import ast
import pathlib
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
