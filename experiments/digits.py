"""MLP-ALAE on scikit-learn's 1,797 handwritten digits, 8x8: the quick start.

Not in the paper: its MNIST recipe (section 5.1) on the real digits that a
scikit-learn installation holds, so that nothing is downloaded, with smaller
networks and an R1 fit for 64 pixels.

Hardware: two CPU cores, 1.5 to 2.5 minutes.
Expected, by machine and versions: on w 0.87 to 0.90 (1NN) and 0.83 to 0.87
(linear SVM), on the hidden layer about 0.95 and 0.93, of 297 test digits.

  python -m alae_jax.main --config=digits --workdir=runs/digits
"""

from alae_jax import config as defaults


def get_config():
  config = defaults.default()

  config.data.name = 'digits'

  config.model.resolution = 8
  config.model.hidden = (400, 400)
  config.model.z_dim = 32
  config.model.w_dim = 32

  config.train.images = 1_000_000  # 667 epochs
  config.train.batch_size = 96  # divisible by 8 devices
  config.train.r1_gamma = 1.0

  config.log.metrics_images = 10_000
  config.log.pictures_images = 100_000
  config.log.checkpoint_images = 50_000
  config.log.keep_images = 500_000

  config.evaluation.at_end = ('probe',)
  return config
