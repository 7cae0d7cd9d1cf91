"""What a command imports before it knows that there is work to do."""

import subprocess
import sys

import pytest

from alae_jax.cli import VERBS

HEAVY = (
  'jax',
  'flax',
  'optax',
  'orbax',
  'torch',
  'sklearn',
  'scipy',
  'tensorflow_datasets',
  'tensorboard',
  'grain',
  'cv2',
  'matplotlib',
)

SCRIPT = """
import sys
from alae_jax import cli
try:
  status = cli.main(sys.argv[1:])
except SystemExit as stop:
  status = stop.code
print('heavy:', *sorted(set(sys.modules) & set({heavy})), file=sys.stderr)
sys.exit(status)
"""


def start(*words):
  """Runs `alae` in a fresh process; its status, and what it imported."""
  done = subprocess.run(
    [sys.executable, '-c', SCRIPT.format(heavy=HEAVY), *words],
    capture_output=True,
    text=True,
  )
  *said, heavy = done.stderr.splitlines()
  return done.returncode, heavy.split()[1:], done.stdout, said


@pytest.mark.parametrize('words', [['--help'], ['--version']])
def test_the_front_door_opens_at_once(words):
  status, heavy, told, _ = start(*words)
  assert (status, heavy) == (0, [])
  assert told


@pytest.mark.parametrize('verb', VERBS)
def test_help_on_a_verb_imports_nothing_heavy(verb):
  status, heavy, told, _ = start(verb, '--help')
  assert (status, heavy) == (0, [])
  assert 'example: alae' in told


@pytest.mark.parametrize(
  'words',
  [
    [],
    ['no_such_verb'],
    ['generate', 'run'],
    ['generate', 'run', '--seeds', 'x', '--out', 'y'],
    ['evaluate'],
    ['plot', 'nowhere', '--out', 'curves.png'],
    ['plot', 'nowhere', '--out', 'curves.pdf'],
    ['mix', 'run', '--layers', 'thin', '--sources', '1'],
    ['traverse', 'run', '1', '--range', '1', '--direction', 'x', '--out', 'y'],
    ['prepare'],
    ['train'],
  ],
)
def test_wrong_use_imports_nothing_heavy(words):
  status, heavy, _, said = start(*words)
  assert (status, heavy) == (2, [])
  assert len(said) == 1


def test_the_check_sees_what_is_heavy():
  status, heavy, _, said = start(
    'generate', 'nowhere', '--seeds', '1', '--out', 'nowhere/else'
  )
  assert status == 2
  assert 'jax' in heavy
  assert said[-1:] == [
    'alae: nowhere is not a run folder: there is no such folder'
  ]
