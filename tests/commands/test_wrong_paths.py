"""Every path argument of every verb is given every kind of wrong path."""

import pytest

from tests.support.wrong_paths import (
  FILES,
  FOLDERS,
  MISSING,
  NO_PATHS,
  SPECIAL,
)

DIGITS = ['--config', 'digits.py', '--config.train.batch_size=16']

# Whole commands, but for the one word {}.
RUNS = {
  'evaluate': 'evaluate {} --metrics probe',
  'generate': 'generate {} --seeds 1 --out out',
  'reconstruct': 'reconstruct {} photos --out out',
  'interpolate': 'interpolate {} 1 2 --out out',
  'mix': 'mix {} --sources 1 --destinations 2 --out out',
  'traverse': 'traverse {} 1 --direction ones.npy --out out',
  'directions': 'directions {} --method pca --out out',
  'export': 'export {} --format release --out out',
  'plot': 'plot {} --out out.png',
}
IMAGES = {
  'reconstruct IMAGE': 'reconstruct mlp {} --out out',
  'interpolate POINT': 'interpolate mlp 1 {} --out out',
  'mix --sources': 'mix style --sources {} --destinations 1 --out out',
  'mix --destinations': 'mix style --sources 1 --destinations {} --out out',
  'traverse POINT': 'traverse mlp {} --direction ones.npy --out out',
  'directions --show': 'directions mlp --method pca --show {} --out out',
}
SINGLE_FILES = {
  'traverse --direction': 'traverse mlp 1 --direction {} --out out',
  'directions --labels': 'directions mlp --method labels --labels {} --out out',
  'import CHECKPOINT': 'import {} --workdir out',
  'train --config': 'train --config {} --workdir out',
  'weights --source': 'weights inception --source {}',
}
FOLDERS_TO_READ = {'prepare --source': 'prepare x --source {} --data_dir out'}
FOLDERS_TO_WRITE = {
  'generate --out': 'generate mlp --seeds 1 --out {}',
  'reconstruct --out': 'reconstruct mlp photos --out {}',
  'interpolate --out': 'interpolate mlp 1 2 --out {}',
  'mix --out': 'mix style --sources 1 --destinations 2 --out {}',
  'traverse --out': 'traverse mlp 1 --direction ones.npy --out {}',
  'directions --out': 'directions mlp --method pca --out {}',
  'export --out': 'export style --format release --out {}',
  'import --workdir': 'import text.txt --workdir {}',
  'train --workdir': (
    'train --config digits.py --config.train.batch_size=16 --workdir {}'
  ),
  'prepare --data_dir': 'prepare x --source photos --data_dir {}',
}
FILES_TO_WRITE = {'plot --out': 'plot mlp --out {}'}


def rows():
  """(argument, command, path, what is said)."""
  kinds = [
    (RUNS, NO_PATHS | MISSING | SPECIAL | FILES | FOLDERS),
    (IMAGES, NO_PATHS | MISSING | SPECIAL | FILES | FOLDERS),
    (SINGLE_FILES, NO_PATHS | MISSING | SPECIAL | FILES | FOLDERS),
    (FOLDERS_TO_READ, NO_PATHS | MISSING | SPECIAL | FILES | FOLDERS),
    (FOLDERS_TO_WRITE, NO_PATHS | SPECIAL | FILES | {'loop': ''}),
    (FILES_TO_WRITE, NO_PATHS | SPECIAL | FILES | FOLDERS | {'loop': ''}),
  ]
  for commands, paths in kinds:
    for argument, command in commands.items():
      for path, said in paths.items():
        yield pytest.param(command, path, said, id=f'{argument} {path[:30]!a}')


@pytest.mark.parametrize(('command', 'path', 'said'), list(rows()))
def test_a_wrong_path_is_told_in_one_line(wrong, command, path, said):
  if command.startswith('import {}') and path in FILES:
    pytest.importorskip('torch')  # reads it
  words = [path if word == '{}' else word for word in command.split()]
  assert said in wrong(*words)
