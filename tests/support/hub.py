"""The Hugging Face hub of this process, and models for it."""

import contextlib
import functools
import importlib.util
import os
import sys
import threading
import time

import pytest

from alae_jax.formats import exporters
from alae_jax.runs import exported
from tests.support.example_runs import make_state
from tests.support.hub_server import Hub
from tests.support.runs import make_tiny_config


def model_files(scale=1.0):
  """What an exported model consists of: the tiny MLP-ALAE, random weights."""
  config = make_tiny_config()
  state = make_state(config, scale)
  tensors = exported.to_tensors(state.ema, state.mean_w)
  content = exported.encode(config, tensors, 0, 1.0, 16, 'ema')
  return dict(zip(exporters.WEIGHTS, content, strict=True))


@functools.cache
def start():
  """The hub of this process, which the client finds when it is imported."""
  assert 'huggingface_hub' not in sys.modules, 'it has chosen another hub'
  server = Hub()
  threading.Thread(target=server.serve_forever, daemon=True).start()
  os.environ |= {
    'HF_ENDPOINT': server.url,
    'HF_HUB_DISABLE_XET': '1',
    'NO_PROXY': '127.0.0.1',
  }
  return server


@contextlib.contextmanager
def empty(cache):
  """Yields a hub without repositories, where ada is logged in.

  Args:
    cache: folder for the client, of which other processes know too.
  """
  if importlib.util.find_spec('huggingface_hub') is None:
    pytest.skip('the package huggingface_hub is not here')
  server = start()
  server.forget()
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('HF_TOKEN', 'of_ada')
    patch.setenv('HF_HOME', str(cache))
    constants = 'huggingface_hub.constants'
    patch.setattr(f'{constants}.HF_HUB_CACHE', str(cache / 'hub'))
    patch.setattr(f'{constants}.HF_TOKEN_PATH', str(cache / 'token'))
    patch.setattr(time, 'sleep', lambda _: None)  # before it tries again
    yield server
