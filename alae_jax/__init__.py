"""Adversarial Latent Autoencoders (Pidhorskyi et al., CVPR 2020) in JAX.

The paper in a minute. F maps z to w, G decodes w to x, E encodes x to w, and D
scores w; D∘E is the discriminator of images. Names are below `alae_jax`;
equations are numbered where the paper's summary numbers them.

=============================  =========================================
V, E and D's side              methods.objectives.discriminator_loss
V, F and G's side              methods.objectives.generator_loss
reciprocity (8): F(z) and      methods.objectives.latent_loss
  E(G(F(z))) are to be one
R1: gamma/2 |grad_x D(E(x))|²  methods.objectives.r1_penalty
algorithm 1, steps I to III    methods.alae.Alae.phases
an iteration                   training.step.train_step
the networks F and D           models.latent_networks.Mapping,
                               models.latent_networks.Discriminator
G: AdaIN, style by style       models.style_generator.restyle
w = sum of C_i[mu_i, s_i] (9)  models.style_encoder.StatisticsLayer,
                               models.style_encoder.StyleEncoder
style mixing                   methods.alae.draw_cutoff,
                               models.styles.mix_styles
blending in a new level        runs.schedule.Segment.blend,
                               ops.resample.fade, ops.resample.lerp
truncation: mean + psi (w -    models.styles.truncate
  mean)
the MNIST table                metrics.probe.probe
=============================  =========================================
"""

__version__ = '0.1.0'


def __getattr__(name: str):
  """`load` and `Model`, imported when first asked for: jax takes a second."""
  if name == 'load':
    from alae_jax.inference.loading import load

    return load
  if name == 'Model':
    from alae_jax.inference.model import Model

    return Model
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
