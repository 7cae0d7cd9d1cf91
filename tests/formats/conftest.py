"""Models that were exported, and their runs."""

import dataclasses
import pathlib

import pytest

import alae_jax
from alae_jax.inference.model import Model
from tests.support import example_runs
from tests.support.verbs import alae


@dataclasses.dataclass(frozen=True)
class ExportedRun:
  run: str
  folder: pathlib.Path
  model: Model  # of the run


@pytest.fixture(scope='session', params=['mlp', 'style'])
def exported_run(request, tmp_path_factory):
  """An MLP, and a StyleALAE whose third level of four is half faded in."""
  place = tmp_path_factory.mktemp(f'exported_{request.param}')
  run = (
    example_runs.mlp_run(place / 'run')
    if request.param == 'mlp'
    else example_runs.growing_run(place / 'run', 368)
  )
  out = place / 'out'
  alae('export', run, '--format', 'safetensors,stablehlo', '--out', out)
  return ExportedRun(run, out, alae_jax.load(run))
