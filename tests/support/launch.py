"""What tests of the recipes in launch/ share."""

import pathlib
import shutil
import subprocess
import sys
import tomllib

import pytest

from alae_jax import cli

ROOT = pathlib.Path(__file__).parents[2]
LAUNCH = ROOT / 'launch'
PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
EXTRAS = PROJECT['optional-dependencies']


def tool(name):
  """A program that a package of the dev extra brings, or skips the test."""
  found = shutil.which(name, path=pathlib.Path(sys.executable).parent)
  return found or pytest.skip(f'{name} is not installed')


def check(*command, **settings):
  """What a command prints that must not fail."""
  result = subprocess.run(command, capture_output=True, text=True, **settings)
  assert result.returncode == 0, result.stdout + result.stderr
  return result.stdout


def parse_train(words):
  """What `alae train` understands of the words after it."""
  _, verb = cli.build_parser('train')
  args, rest = verb.parse_known_args(words)
  assert all(word.startswith('--config.') for word in rest), rest
  return args
