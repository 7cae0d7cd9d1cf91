"""StyleALAE on MNIST, padded to 32x32 (the release's recipe).

60,000 images, 10 epochs a level, 60 in all: the smallest StyleALAE recipe.

Hardware: one GPU. On two CPU cores a level takes from half an hour (4x4) to a
day (32x32); --config.model.base_channels=16 --config.model.max_channels=64 is
many times faster.

  alae prepare mnist --resolution 32 --data_dir data
  python -m alae_jax.main --config=experiments/mnist_style.py \
      --workdir=runs/mnist_style
"""

from alae_jax import config as defaults


def get_config():
  config = defaults.default_style(levels=4)

  config.data.name = 'mnist'

  config.model.channels = 1
  config.model.max_channels = 256
  config.model.z_dim = 32
  config.model.w_dim = 32
  config.model.mapping_layers = 4

  config.train.images = 60 * 60_000

  config.growth.images_per_level = 10 * 60_000
  config.growth.batch_sizes = (128, 128, 128, 64)
  config.growth.learning_rates = (0.0015,)
  return config
