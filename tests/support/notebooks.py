"""Notebooks run in a kernel of their own, as a user would see them end."""

import itertools
import os
import pathlib

import nbformat
from nbclient import NotebookClient

FOLDER = pathlib.Path(__file__).parents[2] / 'notebooks'


def read(name, settings=None):
  """A shipped notebook, after whose settings others are set.

  Args:
    name: without its ending.
    settings: {variable: value}, for those of the cell tagged 'parameters'.
  """
  notebook = nbformat.read(FOLDER / f'{name}.ipynb', as_version=4)
  (place,) = [
    place
    for place, cell in enumerate(notebook.cells)
    if 'parameters' in cell.metadata.get('tags', ())
  ]
  lines = [f'{name} = {value!r}' for name, value in (settings or {}).items()]
  notebook.cells.insert(place + 1, cell_of('\n'.join(lines)))
  return notebook


def notebook_of(*sources):
  """A notebook of these cells."""
  return nbformat.v4.new_notebook(cells=[cell_of(text) for text in sources])


def cell_of(source):
  return nbformat.v4.new_code_cell(source)


def execute(notebook, folder):
  """Runs every cell in a folder, on two devices.

  Returns:
    The outputs of each code cell.

  Raises:
    CellExecutionError: a cell failed.
    AssertionError: something was written to the standard error, as warnings
      are, or failed in a widget, which fails no cell.
  """
  client = NotebookClient(
    notebook,
    timeout=300,
    kernel_name='python3',
    resources={'metadata': {'path': str(folder)}},
  )
  client.execute(
    env=os.environ
    | {'IPYTHONDIR': str(folder / 'ipython'), 'JAX_NUM_CPU_DEVICES': '2'}
  )
  for output in shown_in_widgets(client):
    assert output['output_type'] != 'error', output
  outputs = [
    cell.outputs for cell in notebook.cells if cell.cell_type == 'code'
  ]
  for output in itertools.chain(shown_in_widgets(client), *outputs):
    assert output.get('name') != 'stderr', output
  return outputs


def shown_in_widgets(client):
  states = client.widget_state.values()
  return itertools.chain(*(state.get('outputs', ()) for state in states))


def pictures(*outputs):
  """What of the outputs of cells can be seen."""
  return [
    output
    for output in itertools.chain(*outputs)
    if {'image/png', 'text/html'} & set(output.get('data', ()))
  ]


def said(*outputs):
  """What cells printed."""
  return ''.join(output.get('text', '') for output in itertools.chain(*outputs))
