"""Adversarial Latent Autoencoders (Pidhorskyi et al., CVPR 2020) in JAX.

The paper in a minute. F maps z to w, G decodes w to x, E encodes x to w, and D
scores w; D∘E is the discriminator of images. Names are below `alae_jax`;
equations are numbered where the paper's summary numbers them.

==================================  ===========================================
the paper                           the code
==================================  ===========================================
V, E and D's side                   methods.objectives.discriminator_loss
V, F and G's side                   methods.objectives.generator_loss
reciprocity (8): E(G(F(z))) = F(z)  methods.objectives.latent_loss
R1: gamma/2 ‖grad_x D(E(x))‖²       methods.objectives.r1_penalty
algorithm 1, steps I to III         methods.alae.Alae.phases
an iteration                        training.step.train_step
the networks F and D                models.latent_networks.Mapping,
                                    models.latent_networks.Discriminator
G: AdaIN, style by style            models.style_generator.restyle
w = sum of C_i[mu_i, s_i] (9)       models.style_encoder.StatisticsLayer,
                                    models.style_encoder.StyleEncoder
style mixing                        methods.alae.draw_cutoff,
                                    models.styles.mix_styles
blending in a new level             runs.schedule.Segment.blend,
                                    ops.resample.fade, ops.resample.lerp
truncation: mean + psi (w - mean)   models.styles.truncate
the MNIST table                     metrics.probe.probe
FID                                 metrics.statistics.frechet_distance
perceptual path length              metrics.path_length.PathLength
==================================  ===========================================
"""

import importlib

# The one place; pyproject.toml has it read from here, without importing.
__version__ = '0.1.0'


# Imported when first asked for: jax takes a second.
_LATER = {
  'Model': 'alae_jax.inference.model',
  'load': 'alae_jax.inference.loading',
  'load_ipython_extension': 'alae_jax.cli',
  'plot': 'alae_jax.inference.plotting',
  'read_config': 'alae_jax.config',
  'save_images': 'alae_jax.inference.saving',
  'show': 'alae_jax.inference.saving',
  'train': 'alae_jax.training.train',
}


def __getattr__(name: str):
  """`load`, `train`, `show` and the others of `_LATER`."""
  if name in _LATER:
    return getattr(importlib.import_module(_LATER[name]), name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
  """With what is imported later, for a shell's completion."""
  return sorted([*globals(), *_LATER])
