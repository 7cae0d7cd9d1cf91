"""Eight virtual CPU devices, so that every test is a multi-device test."""

import tempfile

import jax
import pytest

from tests.support import example_runs
from tests.support.runs import make_tiny_config

jax.config.update('jax_num_cpu_devices', 8)

# Many tests train the same step; it is compiled once for all of them.
_CACHE = tempfile.TemporaryDirectory()
jax.config.update('jax_compilation_cache_dir', _CACHE.name)
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.3)


@pytest.fixture
def tiny_config():
  return make_tiny_config()


@pytest.fixture(scope='module')
def mlp(tmp_path_factory):
  return example_runs.mlp_run(tmp_path_factory.mktemp('mlp'))


@pytest.fixture(scope='module')
def style(tmp_path_factory):
  return example_runs.style_run(tmp_path_factory.mktemp('style'))
