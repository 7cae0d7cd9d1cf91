"""One training iteration: a method's phases, the averages and the clock."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import optax
from jax.sharding import Mesh

from alae_jax import sharding
from alae_jax.methods.base import Aux, Batch, Method, Phase
from alae_jax.models.networks import Networks, Params, Stage
from alae_jax.ops.augment import mirror
from alae_jax.ops.pixels import to_float
from alae_jax.ops.resample import fade
from alae_jax.runs import state as state_lib
from alae_jax.runs.optimizer import adam
from alae_jax.runs.schedule import Segment
from alae_jax.training.microbatches import differentiate

Scalars = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class StepOptions:
  """What a step needs to know of the config besides its segment and method.

  Attributes:
    seed: of the run.
    beta2: of Adam.
    ema_half_life: images after which a parameter's weight in the EMA halves.
    mean_w_beta: decay of the running mean of w per phase that draws latents.
    flip: whether real images are mirrored at random.
    microbatches: parts of a batch, of which one's activations are held.
    shard: a name in sharding.SPREAD.
  """

  seed: int
  beta2: float
  ema_half_life: float
  mean_w_beta: float
  flip: bool
  microbatches: int
  shard: str


def step_options(config: ml_collections.ConfigDict) -> StepOptions:
  """The options that a validated config describes."""
  train = config.train
  return StepOptions(
    seed=train.seed,
    beta2=train.adam_beta2,
    ema_half_life=train.ema_half_life,
    mean_w_beta=train.mean_w_beta,
    flip=config.data.flip,
    microbatches=train.microbatches,
    shard=train.shard,
  )


def build_step(
  method: Method,
  networks: Networks,
  options: StepOptions,
  segment: Segment,
  mesh: Mesh,
  compiler_options: Mapping[str, Any] | None = None,
):
  """The jitted, donated step (state, images, blend) -> (state, scalars).

  Args:
    method: gives the phases.
    networks: F, G, E and D.
    options: what the config says.
    segment: gives level, batch size and learning rate, all static.
    mesh: of all devices, with one axis 'data'.
    compiler_options: of XLA, for the devices' platform.

  Returns:
    A function of the state (laid out as options.shard says, donated), images
    (uint8 NHWC, sharded over 'data') and blend (float32 scalar). Lower and
    compile it for an executable that can never recompile.
  """
  layout = sharding.Layout(mesh, options.shard)
  places = state_lib.places(networks, layout)
  everywhere = sharding.replicated(mesh)

  def step(state, images, blend):
    stage = Stage(segment.level, blend if segment.fade_images else 1.0)
    return train_step(
      method, networks, options, segment, stage, layout, state, images
    )

  return jax.jit(
    step,
    in_shardings=(places, sharding.over_batch(mesh), everywhere),
    out_shardings=(places, everywhere),
    donate_argnums=0,
    compiler_options=dict(compiler_options or {}),
  )


def train_step(
  method: Method,
  networks: Networks,
  options: StepOptions,
  segment: Segment,
  stage: Stage,
  layout: sharding.Layout,
  state: state_lib.TrainState,
  images: jax.Array,
) -> tuple[state_lib.TrainState, Scalars]:
  """The phases one after another, then the moving averages and the clock."""
  phases = method.phases(networks.equalized(), stage)
  key = state_lib.step_key(options.seed, state.images_seen)
  key_reals, *keys = jax.random.split(key, 1 + len(phases))
  reals = prepare_reals(key_reals, images, stage, options.flip)
  batch = Batch(reals, layout.share)
  optimizer = adam(segment.learning_rate, options.beta2)

  params, opt_state, mean_w = state.params, state.opt_state, state.mean_w
  scalars: Scalars = {}
  for phase, key in zip(phases, keys, strict=True):
    params, opt_state, aux = train_phase(
      phase,
      networks.equalize,
      optimizer,
      layout,
      params,
      opt_state,
      batch,
      key,
      options.microbatches,
    )
    scalars |= aux.scalars
    if aux.w is not None:
      mean_w = average(mean_w, jnp.mean(aux.w, axis=0), options.mean_w_beta)

  decay = ema_decay(options, segment, state.images_seen)
  trained = state_lib.TrainState(
    images_seen=state.images_seen + segment.batch_size,
    params=params,
    ema=jax.tree.map(
      lambda ema, new: average(ema, new, decay),
      state.ema,
      layout.lay('ema', params),
    ),
    opt_state=opt_state,
    mean_w=mean_w,
  )
  return keep_idle(networks.idle(stage), state, trained), scalars


def keep_idle(
  names: frozenset[str],
  before: state_lib.TrainState,
  after: state_lib.TrainState,
) -> state_lib.TrainState:
  """The state after a step, but for the parts that the level does not use.

  Nothing would move them, yet all that is computed of them, zeros most of it,
  would pass through memory: without a reader, the compiler leaves it out.
  """

  def choose(path, before, after):
    parts = jax.tree_util.keystr(path, simple=True, separator='/').split('/')
    return after if names.isdisjoint(parts) else before

  return jax.tree_util.tree_map_with_path(choose, before, after)


def ema_decay(
  options: StepOptions, segment: Segment, images_seen: jax.Array
) -> jax.Array | float:
  """What the EMA keeps in a step, in [0, 1].

  The half-life grows with the images that the level has seen, as in StyleGAN2's
  code (ema_rampup): a level begins with the parameters themselves.
  """
  if not segment.ema_rampup:
    return 0.5 ** (segment.batch_size / options.ema_half_life)
  seen = (images_seen - segment.began).astype(jnp.float32)
  half_life = jnp.minimum(options.ema_half_life, segment.ema_rampup * seen)
  return jnp.exp2(-segment.batch_size / jnp.maximum(half_life, 1e-8))


def prepare_reals(
  key: jax.Array, images: jax.Array, stage: Stage, flip: bool
) -> jax.Array:
  """uint8 -> float32 in [-1, 1], mirrored and faded as configured."""
  reals = to_float(images)
  if flip:
    reals = mirror(key, reals)
  return fade(reals, stage.blend)


def train_phase(
  phase: Phase,
  equalize: Callable[[Params], Params],
  optimizer: optax.GradientTransformation,
  layout: sharding.Layout,
  params: Params,
  opt_state: Mapping[str, Any],
  batch: Batch,
  key: jax.Array,
  microbatches: int = 1,
) -> tuple[Params, dict[str, Any], Aux]:
  """One optimizer step on the networks that a phase trains, and on no other.

  A network that a phase does not train keeps its moments too. So does the
  authors' release on today's PyTorch; on that of its day (1.4) `zero_grad` left
  zeros in D, which has no gradient in step III, and D was stepped there as
  well: its second moments decayed once more an iteration, and its steps were
  about 1.4 times as long.
  """
  gradients, aux = differentiate(
    phase, equalize, layout, params, batch, key, microbatches
  )
  params, opt_state = dict(params), dict(opt_state)
  for name in phase.trains:
    updates, opt_state[name] = optimizer.update(
      gradients[name], opt_state[name]
    )
    # On the pieces whose moments a device has: only what results travels.
    pieces = layout.lay('opt_state', params[name])
    params[name] = layout.lay('params', optax.apply_updates(pieces, updates))
  return params, opt_state, aux


def average(
  old: jax.Array, new: jax.Array, decay: jax.Array | float
) -> jax.Array:
  """A moving average: `decay` of the old and the rest of the new."""
  return decay * old + (1 - decay) * new
