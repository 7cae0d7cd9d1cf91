"""How the documentation site is built: python -m sphinx -W docs build/docs.

Sphinx, since our docstrings are its Google style with tables and it refuses a
link, an anchor or a name of the code that leads nowhere.
"""

import pathlib
import re
import sys
import typing

import jax.typing

# The clone's package, whichever is installed.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from alae_jax import __version__

project = 'alae_jax'
author = 'The alae_jax authors'
release = version = __version__

extensions = [
  'myst_parser',
  'sphinx.ext.autodoc',
  'sphinx.ext.napoleon',
  'sphinx.ext.viewcode',
  'sphinx.ext.mathjax',
  'sphinx_copybutton',
]
myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 3

# Its many members would stand at every argument.
jax.typing.ArrayLike = typing.NewType('ArrayLike', object)

# In docstrings `name` is code, and quotes are Python's.
default_role = 'literal'
smartquotes_action = 'D'
highlight_language = 'bash'
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
autodoc_member_order = 'bysource'
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# What a page or the paper's table names must be in the reference; the types of
# arguments, which may be JAX's own, need not.
nitpicky = True
nitpick_ignore_regex = [('py:(class|exc)', '.*')]

html_theme = 'furo'
html_title = f'alae_jax {__version__}'
html_static_path = ['_static']
html_css_files = ['narrow.css']
html_theme_options = {
  'source_repository': 'https://github.com/alae-jax/alae_jax/',
  'source_branch': 'main',
  'source_directory': 'docs/',
}
html_show_copyright = False
html_copy_source = False


def link_the_paper(_app, _what, name, _object, _options, lines):
  """Makes links of the functions in the table of alae_jax's docstring."""
  if name == 'alae_jax':
    lines[:] = [
      re.sub(r'\b[a-z]+(?:\.\w+)+', r':py:obj:`\g<0> <alae_jax.\g<0>>`', line)
      for line in lines
    ]


def setup(app):
  """Called by Sphinx."""
  app.connect('autodoc-process-docstring', link_the_paper)
