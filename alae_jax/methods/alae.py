"""ALAE: the three steps of the paper's algorithm 1.

An iteration takes them in order, each on latents of its own:

  * step I: E and D tell reals from fakes, with R1 at the reals;
  * step II: F and G make fakes that pass for reals;
  * step III: E and G make E(G(w)) = w, reciprocity in the latent space.

The losses are functions of latents or images that are given, so that they can
be compared with numbers from elsewhere; `Alae` draws the latents.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_collections

from alae_jax.methods import objectives
from alae_jax.methods.base import Aux, Batch, Phase
from alae_jax.models.networks import Networks, Noise, Params, Stage
from alae_jax.models.styles import mix_styles


@dataclasses.dataclass(frozen=True)
class Alae:
  """The method.

  Attributes:
    r1_gamma: weight of R1, for images in [-1, 1].
    style_mixing_probability: of a second latent in steps I and II.
    latent_step_updates_mapping: whether F also learns in step III from the
      gradient through G's input. The paper updates E and G only; in the
      authors' release F shares G's optimizer and moves too.
  """

  r1_gamma: float = 10.0
  style_mixing_probability: float = 0.0
  latent_step_updates_mapping: bool = False

  def phases(self, networks: Networks, stage: Stage) -> tuple[Phase, ...]:
    """Steps I, II and III."""

    def draw(batch, key):
      return draw_latents(key, networks, stage, batch)

    def draw_mixed(batch, key):
      return draw_latents(
        key, networks, stage, batch, self.style_mixing_probability
      )

    def step_1(params, batch, latents):
      fakes, w = jax.lax.stop_gradient(
        generate(networks, stage, params, latents)
      )
      loss, scalars = adversarial_loss(
        networks, stage, params, batch.reals, fakes, self.r1_gamma
      )
      return loss, Aux(scalars, w)

    def step_2(params, batch, latents):
      loss, w = generation_loss(networks, stage, params, latents)
      return loss, Aux({'loss_generator': loss}, w)

    def step_3(params, batch, latents):
      loss, w = reciprocity_loss(networks, stage, params, latents)
      return loss, Aux({'loss_latent': loss}, w)

    reciprocal: tuple[str, ...] = ('encoder', 'generator')
    if self.latent_step_updates_mapping:
      reciprocal = (*reciprocal, 'mapping')
    return (
      Phase('discriminator', ('encoder', 'discriminator'), draw_mixed, step_1),
      Phase('generator', ('mapping', 'generator'), draw_mixed, step_2),
      Phase('latent', reciprocal, draw, step_3),
    )


def build_alae(config: ml_collections.ConfigDict) -> Alae:
  """The method that a validated config describes."""
  train = config.train
  return Alae(
    r1_gamma=train.r1_gamma,
    style_mixing_probability=train.style_mixing_probability,
    latent_step_updates_mapping=train.latent_step_updates_mapping,
  )


def adversarial_loss(
  networks: Networks,
  stage: Stage,
  params: Params,
  reals: jax.Array,
  fakes: jax.Array,
  r1_gamma: float,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Step I: the discriminator's side of V, and gamma / 2 times R1.

  Args:
    networks: of which E and D learn.
    stage: of the images.
    params: of all networks.
    reals: [N, H, W, C].
    fakes: the same shape, G(F(z)).
    r1_gamma: weight of R1.

  Returns:
    The loss; and its parts 'loss_discriminator' (without R1), 'r1_penalty'
    (without its weight), and the mean logits.
  """

  def critic(images):
    return networks.discriminate(params, images, stage)

  penalty, real_logits = objectives.r1_penalty(critic, reals)
  fake_logits = critic(fakes)
  adversarial = objectives.discriminator_loss(real_logits, fake_logits)
  return adversarial + r1_gamma / 2 * penalty, {
    'loss_discriminator': adversarial,
    'r1_penalty': penalty,
    'logit_real': jnp.mean(real_logits),
    'logit_fake': jnp.mean(fake_logits),
  }


class Latents(NamedTuple):
  """All that is random in a batch of fakes.

  Attributes:
    z: [N, z_dim].
    noise: planes of G; None is the deterministic mode.
    z_mixed: [N, z_dim], the second latent of style mixing; None for none.
    cutoff: the first layer that takes the second one's style.
  """

  z: jax.Array
  noise: Noise = None
  z_mixed: jax.Array | None = None
  cutoff: jax.Array | int = 0


def generation_loss(
  networks: Networks, stage: Stage, params: Params, latents: Latents
) -> tuple[jax.Array, jax.Array]:
  """Step II: the generator's side of V; also w [N, w_dim]."""
  fakes, w = generate(networks, stage, params, latents)
  logits = networks.discriminate(params, fakes, stage)
  return objectives.generator_loss(logits), w


def reciprocity_loss(
  networks: Networks, stage: Stage, params: Params, latents: Latents
) -> tuple[jax.Array, jax.Array]:
  """Step III: how far E(G(w)) is from w; also w [N, w_dim]."""
  fakes, w = generate(networks, stage, params, latents)
  reconstructed = networks.encode(params, fakes, stage)
  return objectives.latent_loss(w, reconstructed), w


def generate(
  networks: Networks, stage: Stage, params: Params, latents: Latents
) -> tuple[jax.Array, jax.Array]:
  """G(F(z)) [N, H, W, C], and the w [N, w_dim] of the first latents."""
  w = networks.map(params, latents.z)
  styles = networks.broadcast(w)
  if latents.z_mixed is not None:
    others = networks.broadcast(networks.map(params, latents.z_mixed))
    styles = mix_styles(styles, others, latents.cutoff)
  return networks.decode(params, styles, stage, latents.noise), w


def draw_latents(
  key: jax.Array,
  networks: Networks,
  stage: Stage,
  batch: Batch,
  mixing_probability: float = 0.0,
) -> Latents:
  """Fresh latents and noise for as many fakes as the batch has reals."""
  key_z, key_noise, key_mix = jax.random.split(key, 3)
  shape = (batch.size, networks.z_dim)
  latents = Latents(
    batch.share(jax.random.normal(key_z, shape)),
    batch.share(networks.draw_noise(key_noise, batch.size, stage.level)),
  )
  if not mixing_probability:
    return latents
  key_z, key_cutoff, key_whether = jax.random.split(key_mix, 3)
  return latents._replace(
    z_mixed=batch.share(jax.random.normal(key_z, shape)),
    cutoff=draw_cutoff(
      key_cutoff,
      key_whether,
      networks.layers_at(stage.level),
      mixing_probability,
    ),
  )


def draw_cutoff(
  key: jax.Array, key_whether: jax.Array, layers: int, probability: float
) -> jax.Array:
  """The first layer of style mixing's second latent, one draw an iteration.

  With this probability uniform in {1, ..., layers}, both ends included as in
  the authors' release; `layers`, which mixes nothing, otherwise. So fewer
  iterations really mix than the probability says: at 0.9 and 4x4 45 % do.
  """
  mixing = jax.random.bernoulli(key_whether, probability)
  cutoff = jax.random.randint(key, (), 1, layers + 1)
  return jnp.where(mixing, cutoff, layers)
