"""Adversarial Latent Autoencoders (Pidhorskyi et al., CVPR 2020) in JAX."""

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
