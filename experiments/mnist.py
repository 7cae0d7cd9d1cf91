"""MLP-ALAE on permutation-invariant MNIST (paper section 5.1, table 1).

800 epochs at batch 128, learning rate 0.002, no EMA at evaluation.
"""

from alae_jax import config as defaults


def get_config():
  config = defaults.default()

  config.data.name = 'mnist'

  config.train.images = 48_000_000  # 800 epochs
  config.train.r1_gamma = 40.0  # 10 for images in [0, 1]

  config.evaluation.use_ema = False
  config.evaluation.at_end = ('probe',)
  return config
