"""MLP-ALAE on permutation-invariant MNIST (paper section 5.1, table 1).

800 epochs of 60,000 images at batch 128, learning rate 0.002; no EMA at
evaluation. `--config.train.images=1200000` (20 epochs) is enough to see digits.

Hardware: two CPU cores, about 30 seconds an epoch.
Expected at 20 epochs: on w 0.93 (1NN) and 0.89 (linear SVM), on the hidden
layer 0.97 and 0.97, of 10,000 test images.

  alae prepare mnist --data_dir data
  python -m alae_jax.main --config=mnist --workdir=runs/mnist
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
