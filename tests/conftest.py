"""Eight virtual CPU devices, so that every test is a multi-device test."""

import os
import tempfile

import jax
import pytest

from alae_jax import progress
from tests.support import example_runs
from tests.support import hub as hub_lib
from tests.support.runs import make_tiny_config

jax.config.update('jax_num_cpu_devices', 8)

# Most of what tests do is compiling, of what then runs for moments: XLA is not
# to spend half of that on machine code. The commands that tests start run as
# users' do.
_FLAGS = os.environ.get('XLA_FLAGS', '')
os.environ['XLA_FLAGS'] = f'{_FLAGS} --xla_backend_optimization_level=0'
jax.devices()  # reads them, once
os.environ['XLA_FLAGS'] = _FLAGS

# Many tests train the same step; it is compiled once for all of them and for
# those in other workers, and once more for all the commands that tests start.
if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
  _CACHE = tempfile.TemporaryDirectory()
  os.environ['JAX_COMPILATION_CACHE_DIR'] = _CACHE.name
  os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0.1'
  # With a bound it is locked: no worker reads what another is writing.
  os.environ['JAX_COMPILATION_CACHE_MAX_SIZE'] = str(8 << 30)
jax.config.update(
  'jax_compilation_cache_dir', os.environ['JAX_COMPILATION_CACHE_DIR']
)
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.1)
jax.config.update('jax_compilation_cache_max_size', 8 << 30)


# How long a machine takes is no part of what a command says.
progress.SECONDS_BEFORE_TELLING = 3600


@pytest.fixture
def tiny_config():
  return make_tiny_config()


@pytest.fixture(scope='module')
def mlp(tmp_path_factory):
  return example_runs.mlp_run(tmp_path_factory.mktemp('mlp'))


@pytest.fixture(scope='module')
def style(tmp_path_factory):
  return example_runs.style_run(tmp_path_factory.mktemp('style'))


@pytest.fixture
def hub(tmp_path):
  """A Hugging Face hub without repositories, and an empty cache."""
  with hub_lib.empty(tmp_path / 'hub_home') as server:
    yield server
