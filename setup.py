"""Which folders are packages; everything else is in pyproject.toml.

The recipes lie in experiments/, where a clone's users name them, and are
installed inside the package, as `--config=mnist` finds them. pyproject.toml can
say that only beside a list of every other package.
"""

import setuptools

setuptools.setup(
  packages=[
    *setuptools.find_packages(include=['alae_jax*']),
    'alae_jax.experiments',
  ],
  package_dir={'alae_jax.experiments': 'experiments'},
)
