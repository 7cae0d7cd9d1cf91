"""One training iteration: steps I, II and III of the paper's algorithm 1."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import optax
from jax.sharding import Mesh

from alae_jax import sharding
from alae_jax.methods import objectives
from alae_jax.models.networks import Networks, Params
from alae_jax.models.styles import mix_styles
from alae_jax.ops.resample import fade
from alae_jax.runs import state as state_lib
from alae_jax.runs.optimizer import adam
from alae_jax.runs.schedule import Segment

Metrics = dict[str, jax.Array]
Constrain = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class StepOptions:
  """What a step needs to know of the config besides its segment.

  Attributes:
    seed: of the run.
    r1_gamma: weight of R1, for images in [-1, 1].
    beta2: of Adam.
    ema_half_life: images after which a parameter's weight in the EMA halves.
    mean_w_beta: decay of the running mean of w per step.
    style_mixing_probability: of a second latent in steps I and II.
    latent_step_updates_mapping: whether F also learns in step III from the
      gradient through G's input. The paper updates E and G only; in the
      authors' release F shares G's optimizer and moves too.
    flip: whether real images are mirrored at random.
  """

  seed: int
  r1_gamma: float
  beta2: float
  ema_half_life: float
  mean_w_beta: float
  style_mixing_probability: float
  latent_step_updates_mapping: bool
  flip: bool


def step_options(config: ml_collections.ConfigDict) -> StepOptions:
  """The options that a validated config describes."""
  train = config.train
  return StepOptions(
    seed=train.seed,
    r1_gamma=train.r1_gamma,
    beta2=train.adam_beta2,
    ema_half_life=train.ema_half_life,
    mean_w_beta=train.mean_w_beta,
    style_mixing_probability=train.style_mixing_probability,
    latent_step_updates_mapping=train.latent_step_updates_mapping,
    flip=config.data.flip,
  )


def build_step(
  networks: Networks, options: StepOptions, segment: Segment, mesh: Mesh
):
  """The jitted, donated step (state, images, blend) -> (state, metrics).

  Args:
    networks: F, G, E and D.
    options: what the config says.
    segment: gives level, batch size and learning rate, all static.
    mesh: of all devices, with one axis 'data'.

  Returns:
    A function of the state (replicated, donated), images (uint8 NHWC, sharded
    over 'data') and blend (float32 scalar). Lower and compile it for an
    executable that can never recompile.
  """
  batch = sharding.over_batch(mesh)
  everywhere = sharding.replicated(mesh)

  def constrain(tree):
    # Latents drawn inside jit would otherwise be replicated, and steps II and
    # III run whole on every device.
    return jax.tree.map(
      lambda x: jax.lax.with_sharding_constraint(x, batch), tree
    )

  def step(state, images, blend):
    return train_step(
      networks,
      options,
      segment,
      constrain,
      state,
      images,
      blend if segment.fade_images else 1.0,
    )

  return jax.jit(
    step,
    in_shardings=(everywhere, batch, everywhere),
    out_shardings=(everywhere, everywhere),
    donate_argnums=0,
  )


def train_step(
  networks: Networks,
  options: StepOptions,
  segment: Segment,
  constrain: Constrain,
  state: state_lib.TrainState,
  images: jax.Array,
  blend: jax.Array | float,
) -> tuple[state_lib.TrainState, Metrics]:
  """Steps I, II and III, the moving averages and the clock."""
  iteration = _Iteration(networks, options, segment, constrain, blend)
  key = state_lib.step_key(options.seed, state.images_seen)
  key_reals, key_1, key_2, key_3 = jax.random.split(key, 4)
  reals = iteration.prepare_reals(key_reals, images)

  learners = state.params, state.opt_state
  learners, (loss_1, mean_w, scores) = iteration.step_1(learners, key_1, reals)
  learners, loss_2 = iteration.step_2(learners, key_2)
  learners, loss_3 = iteration.step_3(learners, key_3)

  params, opt_state = learners
  decay = 0.5 ** (segment.batch_size / options.ema_half_life)
  beta = options.mean_w_beta
  state = state_lib.TrainState(
    images_seen=state.images_seen + segment.batch_size,
    params=params,
    ema=jax.tree.map(
      lambda ema, new: decay * ema + (1 - decay) * new, state.ema, params
    ),
    opt_state=opt_state,
    mean_w=beta * state.mean_w + (1 - beta) * mean_w,
  )
  metrics = {
    'loss_discriminator': loss_1,
    'loss_generator': loss_2,
    'loss_latent': loss_3,
    **scores,
  }
  return state, metrics


@dataclasses.dataclass(frozen=True)
class _Iteration:
  """The three steps, each a function of (learners, key)."""

  networks: Networks
  options: StepOptions
  segment: Segment
  constrain: Constrain
  blend: jax.Array | float

  def prepare_reals(self, key, images):
    """uint8 -> float32 in [-1, 1], mirrored and faded as configured."""
    reals = images.astype(jnp.float32) / 127.5 - 1
    if self.options.flip:
      flips = jax.random.bernoulli(key, shape=(reals.shape[0], 1, 1, 1))
      reals = jnp.where(flips, reals[:, :, ::-1], reals)
    return fade(reals, self.blend)

  def step_1(self, learners, key, reals):
    """E and D tell reals from fakes (with R1 at the reals)."""

    def loss(params):
      fakes, w = jax.lax.stop_gradient(self.generate(params, key, mix=True))
      penalty, real_logits = objectives.r1_penalty(
        lambda x: self.critic(params, x), reals
      )
      fake_logits = self.critic(params, fakes)
      adversarial = objectives.discriminator_loss(real_logits, fake_logits)
      scores = {
        'r1_penalty': penalty,
        'logit_real': jnp.mean(real_logits),
        'logit_fake': jnp.mean(fake_logits),
      }
      total = adversarial + self.options.r1_gamma / 2 * penalty
      return total, (adversarial, jnp.mean(w, axis=0), scores)

    return self.learn(learners, ('encoder', 'discriminator'), loss)

  def step_2(self, learners, key):
    """F and G make fakes that pass for reals."""

    def loss(params):
      fakes, _ = self.generate(params, key, mix=True)
      value = objectives.generator_loss(self.critic(params, fakes))
      return value, value

    return self.learn(learners, ('mapping', 'generator'), loss)

  def step_3(self, learners, key):
    """E and G make E(G(w)) = w (reciprocity in the latent space)."""
    names = ('encoder', 'generator')
    if self.options.latent_step_updates_mapping:
      names = (*names, 'mapping')

    def loss(params):
      fakes, w = self.generate(params, key, mix=False)
      value = objectives.latent_loss(w, self.encode(params, fakes))
      return value, value

    return self.learn(learners, names, loss)

  def learn(self, learners, names, loss):
    """One optimizer step on the parameters of the named networks alone."""
    params, opt_state = learners
    optimizer = adam(self.segment.learning_rate, self.options.beta2)
    (_, aux), gradients = jax.value_and_grad(
      lambda trained: loss({**params, **trained}), has_aux=True
    )({name: params[name] for name in names})
    for name in names:
      updates, moments = optimizer.update(gradients[name], opt_state[name])
      params = {**params, name: optax.apply_updates(params[name], updates)}
      opt_state = {**opt_state, name: moments}
    return (params, opt_state), aux

  def generate(self, params: Params, key, mix: bool):
    """Fresh fakes [N, H, W, C] and the w [N, w_dim] that they came from."""
    n, level = self.segment.batch_size, self.segment.level
    key_z, key_noise, key_mix = jax.random.split(key, 3)
    w = self.draw_w(params, key_z)
    styles = self.networks.broadcast(w)
    if mix and self.options.style_mixing_probability:
      styles = self.mix(params, key_mix, styles)
    noise = self.constrain(self.networks.draw_noise(key_noise, n, level))
    fakes = self.networks.generate(params, styles, level, self.blend, noise)
    return fakes, w

  def draw_w(self, params: Params, key):
    """F of fresh latents, [N, w_dim]."""
    z = jax.random.normal(key, (self.segment.batch_size, self.networks.z_dim))
    return self.networks.map(params, self.constrain(z))

  def mix(self, params: Params, key, styles):
    """Style mixing: one draw a step, from a cutoff on another latent's w."""
    key_z, key_cutoff, key_whether = jax.random.split(key, 3)
    others = self.networks.broadcast(self.draw_w(params, key_z))
    layers = self.networks.styles_per_level * (self.segment.level + 1)
    cutoff = jnp.where(
      jax.random.bernoulli(key_whether, self.options.style_mixing_probability),
      jax.random.randint(key_cutoff, (), 1, layers),
      layers,
    )
    return mix_styles(styles, others, cutoff)

  def encode(self, params: Params, images):
    return self.networks.encode(params, images, self.segment.level, self.blend)

  def critic(self, params: Params, images):
    """D∘E, [N]."""
    return self.networks.discriminate(params, self.encode(params, images))
