"""MLP-ALAE on scikit-learn's 1,797 handwritten digits, 8x8: the quick start.

No download, no accelerator. Not in the paper; the recipe is the MNIST one
(paper section 5.1) with smaller networks.

  python -m alae_jax.main --config=experiments/digits.py --workdir=runs/digits
"""

from alae_jax import config as defaults


def get_config():
  config = defaults.default()

  config.data.name = 'digits'

  config.model.resolution = 8
  config.model.hidden = (256, 256)
  config.model.z_dim = 32
  config.model.w_dim = 32

  config.train.images = 600_000  # 400 epochs
  config.train.batch_size = 100
  config.train.r1_gamma = 40.0  # 10 for images in [0, 1]

  config.log.metrics_images = 6_000
  config.log.pictures_images = 100_000
  config.log.checkpoint_images = 50_000
  config.log.keep_images = 300_000

  config.evaluation.use_ema = False
  config.evaluation.at_end = ('probe',)
  return config
