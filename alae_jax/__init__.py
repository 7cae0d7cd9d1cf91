"""Adversarial Latent Autoencoders (Pidhorskyi et al., CVPR 2020) in JAX."""

__version__ = '0.1.0'
