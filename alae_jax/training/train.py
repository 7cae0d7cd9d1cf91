"""`alae_jax.train`: training as a notebook or a program asks for it."""

import os

from etils import epath
from ml_collections import ConfigDict

from alae_jax import config as config_lib
from alae_jax.inference.loading import load
from alae_jax.inference.model import Model
from alae_jax.training import loop


def train(
  config: ConfigDict | epath.PathLike,
  workdir: epath.PathLike,
  change: bool = False,
) -> Model:
  """Trains, or continues what the run folder holds, as `alae train` does.

  Called again it goes on where it was stopped; of a finished run it gives the
  model. The config is left as it is.

  Args:
    config: such as `read_config` gives; or what it takes, the name of a recipe
      or the path of a config file.
    workdir: the run folder, local or gs://; made where it is missing.
    change: let a run go on with other rates, batch sizes and the like.

  Returns:
    The model, as `load(workdir)` gives it.

  Raises:
    UserError: the config, the data or the run folder can't be used.
    FloatingPointError: a loss is not finite.
    Interrupted: a KeyboardInterrupt: Ctrl-C, SIGTERM or a notebook's stop
      button; everything is saved. At a second one a plain KeyboardInterrupt,
      at once, and what came after the last checkpoint is lost.
  """
  if not isinstance(config, ConfigDict):
    config = config_lib.read_config(os.fspath(config))
  loop.train(config, os.fspath(workdir), change)
  return load(os.fspath(workdir))
