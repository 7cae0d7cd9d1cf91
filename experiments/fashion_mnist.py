"""MLP-ALAE's MNIST recipe (paper section 5.1) on Fashion-MNIST.

Not in the paper. 800 epochs of 60,000 images; see mnist.py.

Hardware: two CPU cores, about 30 seconds an epoch, as MNIST. Not run yet.

  alae prepare fashion_mnist --data_dir data
  python -m alae_jax.main --config=fashion_mnist --workdir=runs/fashion_mnist
"""

from alae_jax import config as defaults


def get_config():
  config = defaults.default()

  config.data.name = 'fashion_mnist'

  config.train.images = 48_000_000  # 800 epochs
  config.train.r1_gamma = 40.0  # 10 for images in [0, 1]

  config.evaluation.use_ema = False
  config.evaluation.at_end = ('probe',)
  return config
