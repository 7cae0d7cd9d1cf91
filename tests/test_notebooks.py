"""The notebooks: as they are stored, and run from one end to the other."""

import json
import re

import pytest

from tests.support.example_data import random_mnist, write_mnist
from tests.support.runs import make_tiny_config

nbformat = pytest.importorskip('nbformat')
pytest.importorskip('nbclient')
pytest.importorskip('ipywidgets')

from nbclient.exceptions import CellExecutionError  # noqa: E402

from tests.support import notebooks  # noqa: E402
from tests.support.notebooks import pictures, said  # noqa: E402

NAMES = sorted(path.stem for path in notebooks.FOLDER.glob('*.ipynb'))
TINY = {
  'model.hidden': (16, 16),
  'model.z_dim': 4,
  'model.w_dim': 6,
  'model.mapping_layers': 2,
  'train.images': 96,
  'train.batch_size': 16,
  'log.metrics_images': 32,
  'log.pictures_images': 64,
  'log.checkpoint_images': 32,
  'evaluation.at_end': (),
}


def test_all_of_them_are_tested():
  assert NAMES == ['explore_model', 'train_colab_tpu']


@pytest.mark.parametrize('name', NAMES)
def test_nothing_is_stored_but_what_was_written(name):
  text = (notebooks.FOLDER / f'{name}.ipynb').read_text()
  stored = json.loads(text)
  nbformat.validate(stored)
  assert (stored['nbformat'], stored['nbformat_minor']) == (4, 5)
  allowed = {'accelerator', 'kernelspec', 'language_info'}
  assert set(stored['metadata']) <= allowed
  assert stored['metadata']['language_info'] == {'name': 'python'}
  for cell in stored['cells']:
    assert re.fullmatch(r'[a-z-]+', cell['id'])  # a name, that stays
    assert cell['metadata'] in ({}, {'tags': ['parameters']})
    if cell['cell_type'] == 'code':
      assert cell['outputs'] == []
      assert cell['execution_count'] is None
      assert len(cell['source']) <= 20
  # As Jupyter would write it, so that a change is small.
  assert text == json.dumps(stored, indent=1, ensure_ascii=False) + '\n'


@pytest.mark.parametrize('name', NAMES)
def test_a_badge_at_the_top_opens_this_notebook(name):
  title = ''.join(notebooks.read(name).cells[0].source)
  assert re.search(
    r'\(https://colab\.research\.google\.com/github/[\w/-]+'
    rf'/blob/main/notebooks/{name}\.ipynb\)',
    title,
  )


@pytest.mark.slow
def test_the_training_notebook_runs(tmp_path):
  write_mnist(tmp_path / 'files', random_mnist())
  settings = {
    'data': f'mnist --source {tmp_path / "files"}',
    'overrides': TINY,
  }
  notebook = notebooks.read('train_colab_tpu', settings)
  cells = [cell for cell in notebook.cells if cell.cell_type == 'code']
  # All once more, as after a disconnect: the run is there.
  notebook.cells += [notebooks.cell_of(cell.source) for cell in cells]
  outputs = notebooks.execute(notebook, tmp_path)
  first, again = outputs[: len(cells)], outputs[len(cells) :]
  assert len(pictures(*first)) == 4  # two while training, two below
  for words in ('50 train', 'compiling the step', 'rec/psnr'):
    assert words in said(*first)
  assert (tmp_path / 'mnist.zip').stat().st_size > 1000
  assert len(pictures(*again)) == 2
  assert 'runs/mnist is finished' in said(*again)
  assert 'compiling the step' not in said(*again)


@pytest.mark.slow
def test_the_exploring_notebook_trains_where_no_model_is_given(tmp_path):
  few = {'train.images': 960, 'evaluation.at_end': ()}
  notebook = notebooks.read('explore_model', {'overrides': few})
  outputs = notebooks.execute(notebook, tmp_path)
  assert 'nothing to mix' in said(*outputs)
  assert len(pictures(*outputs)) == 2 + 5


@pytest.mark.slow
def test_the_exploring_notebook_takes_a_model_and_an_image(style, tmp_path):
  from alae_jax import save_images
  from tests.support.example_data import write_images

  save_images(write_images(tmp_path / 'x', 1, 40)[0], tmp_path / 'mine.png')
  given = {'model_path': style, 'image_path': str(tmp_path / 'mine.png')}
  notebook = notebooks.read('explore_model', given)
  outputs = notebooks.execute(notebook, tmp_path)
  assert len(pictures(*outputs)) == 6  # a table of mixed styles too
  assert not (tmp_path / 'runs').exists()


STOPPING = """
import os, signal, sys
import alae_jax
from alae_jax.training import inline

show, before = inline.Inline.show, signal.getsignal(signal.SIGINT)

def show_and_stop(self, name, image, images_seen):
  show(self, name, image, images_seen)
  if (name, images_seen) == ('samples', 64):
    os.kill(os.getpid(), signal.SIGINT)

inline.Inline.show = show_and_stop
"""
STOPPED = """
assert signal.getsignal(signal.SIGINT) is before
inline.Inline.show = show
sys.modules['ipywidgets'] = None  # a bar first, then a line
"""


@pytest.mark.slow
def test_a_stopped_cell_saves_and_run_again_goes_on(tmp_path):
  """A stop button sends SIGINT; here a picture that is shown does."""
  path = tmp_path / 'config.json'
  path.write_text(json.dumps(make_tiny_config().to_dict()))
  train = f"alae_jax.train({str(path)!r}, 'run').images_seen"
  notebook = notebooks.notebook_of(STOPPING, train, STOPPED, train, train)
  notebook.cells[1].metadata.tags = ['raises-exception']
  _, first, _, second, third = notebooks.execute(notebook, tmp_path)
  stopped = first[-1]
  assert (stopped.ename, len(stopped.traceback)) == ('Interrupted', 1)
  assert 'after 80 images, which are saved' in stopped.evalue
  for outputs in (first, second):
    assert len(pictures(outputs)) == 2
  assert 'continuing after 80 of 96' in said(second)
  for outputs in (second, third):
    assert outputs[-1].data['text/plain'] == '96'


FAILING_WIDGET = """
import ipywidgets
ipywidgets.interact(lambda x: 1 / 0, x=(0, 1));
"""


@pytest.mark.slow
@pytest.mark.parametrize(
  ('source', 'error'),
  [
    ('1 / 0', CellExecutionError),
    ('%load_ext alae_jax\n%alae data nowhere', CellExecutionError),
    ('import warnings\nwarnings.warn("x")', AssertionError),
    (FAILING_WIDGET, AssertionError),
  ],
)
def test_what_goes_wrong_in_a_cell_fails_its_test(tmp_path, source, error):
  notebook = notebooks.read('explore_model')
  place = [cell.id for cell in notebook.cells].index('imports')
  notebook.cells = [notebooks.cell_of(source), *notebook.cells[:place]]
  with pytest.raises(error):
    notebooks.execute(notebook, tmp_path)
