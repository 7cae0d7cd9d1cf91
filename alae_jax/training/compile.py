"""A level's training step, compiled before it is needed, on devices or without.

What is compiled is the step that trains, to the last operation; only the
devices may be others than this machine's: the description of a TPU slice is
enough (`topology`).
"""

import contextlib
import os
import re
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import ml_collections
from jax.sharding import Mesh

from alae_jax import sharding
from alae_jax.errors import Failure, UserError, reason
from alae_jax.methods.alae import build_alae
from alae_jax.models.networks import Networks
from alae_jax.runs import state as state_lib
from alae_jax.runs.schedule import Segment
from alae_jax.training import step as step_lib

_GIB = 2.0**30

# For libtpu where there is no TPU: it is not to ask Google's cloud what machine
# this is, nor to say that it can't find out, nor to be alone.
_APART = {
  'TPU_SKIP_MDS_QUERY': '1',
  'TPU_ACCELERATOR_TYPE': 'v5litepod-8',
  'TPU_WORKER_HOSTNAMES': 'localhost',
  'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',
}


# For few images a chip XLA's compiler for TPUs cuts maps into strips, which it
# then takes for images of a larger batch: convolutions are wider, but whatever
# comes between them copies the strips' edges. The step, which waits for memory,
# moves half the bytes without (ffhq at 256x256). At 1024x1024 maps are so thin,
# 16 channels on 128 lanes, that strips take less memory.
_STRIPS = (
  'xla_tpu_run_space_to_batch',
  'xla_tpu_run_space_to_batch_after_spmd',
  'xla_tpu_run_space_to_batch_on_new_platforms',
)


def lower_step(
  config: ml_collections.ConfigDict,
  networks: Networks,
  segment: Segment,
  mesh: Mesh,
) -> jax.stages.Lowered:
  """The step of a segment for the devices of a mesh, traced but not compiled.

  Args:
    config: resolved for as many devices.
    networks: that it describes.
    segment: of its schedule.
    mesh: of the devices, which need not be there.

  Returns:
    Of a function of the state, images (uint8 NHWC) and blend (float32); its
    executable can never recompile.
  """
  side = networks.resolutions[segment.level]
  shape = (segment.batch_size, side, side, networks.channels)
  step = step_lib.build_step(
    build_alae(config),
    networks,
    step_lib.step_options(config),
    segment,
    mesh,
    compiler_options(mesh, side),
  )
  layout = sharding.Layout(mesh, config.train.shard)
  return step.lower(
    state_lib.abstract_state(networks, state_lib.places(networks, layout)),
    jax.ShapeDtypeStruct(shape, jnp.uint8),
    jax.ShapeDtypeStruct((), jnp.float32),
  )


def compiler_options(mesh: Mesh, side: int) -> dict[str, bool]:
  """What XLA is told besides its own defaults.

  Args:
    mesh: of the devices.
    side: of the images.
  """
  on_tpu = mesh.devices.flat[0].platform == 'tpu'
  return dict.fromkeys(_STRIPS, False) if on_tpu and side <= 512 else {}


def topology(name: str) -> list[jax.Device]:
  """The chips of a TPU slice that is not here, such as 'v5e:2x4'.

  Raises:
    UserError: libtpu is missing, or knows no such slice.
  """
  from jax.experimental import topologies

  # As JAX sees a v4: a chip's two cores as one device.
  more = {'chip_config_name': 'megacore'} if name.startswith('v4:') else {}
  # Or JAX looks for a TPU here.
  jax.config.update('jax_platforms', 'cpu')
  with _environment(_APART):
    try:
      found = topologies.get_topology_desc(
        platform='tpu', topology_name=name, **more
      ).devices
    except (RuntimeError, NotImplementedError, ValueError) as error:
      if 'not installed' in str(error):
        raise UserError(
          f"topology {name} needs libtpu: pip install 'alae_jax[tpu]'"
        ) from error
      raise UserError(
        f'topology {name}: {reason(error)}: give one such as v5e:2x4, v6e:2x4 '
        'or v4:2x2x2'
      ) from error
  return list(found)


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
  """Sets environment variables for a while, those that are not set."""
  new = variables.keys() - os.environ.keys()
  os.environ.update({name: variables[name] for name in new})
  try:
    yield
  finally:
    for name in new:
      del os.environ[name]


class TooLarge(Failure):
  """A step that the memory of a device does not hold.

  Attributes:
    needed: bytes that it would take, as the compiler says it; 0 if it does not.
    memory: bytes that there are, likewise.
  """

  def __init__(self, needed: float = 0.0, memory: float = 0.0):
    what = (
      f'{needed / _GIB:.2f} GiB of memory, and a device has '
      f'{memory / _GIB:.2f} GiB'
      if needed
      else 'more memory than a device has'
    )
    super().__init__(
      f'the step takes {what}: raise train.microbatches or '
      'give it a smaller batch'
    )
    self.needed, self.memory = needed, memory


def compile_lowered(lowered: jax.stages.Lowered) -> jax.stages.Compiled:
  """The executable of a step.

  Raises:
    TooLarge: it does not fit.
  """
  try:
    return lowered.compile()
  except jax.errors.JaxRuntimeError as error:
    if 'RESOURCE_EXHAUSTED' not in str(error):
      raise
    found = re.search(r'Used (\S+) of (\S+) hbm', str(error))
    raise TooLarge(*map(_bytes, found.groups() if found else ())) from error


def _bytes(text: str) -> float:
  """'17.20G' -> 17.2 * 2^30, as XLA writes sizes."""
  text = text.removesuffix('B')
  number = text.rstrip('KMGT')
  return float(number) * 1024 ** ' KMGT'.index(text[len(number) :] or ' ')
