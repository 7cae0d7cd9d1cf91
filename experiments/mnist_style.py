"""StyleALAE on MNIST, padded to 32x32 (the release's recipe).

60,000 images, 10 epochs a level, 60 in all: the smallest StyleALAE recipe.

Hardware: one GPU; time not measured. A narrow one for two CPU cores, 17
minutes to 16x16 (digits that read, reconstructions that follow their inputs):
  --config.model.base_channels=16 --config.model.max_channels=64
  --config.train.images=120000 --config.growth.images_per_level=40000
  --config.growth.batch_sizes="(32,32,16)" --config.train.ema_half_life=3000

  alae prepare mnist --resolution 32 --data_dir data
  python -m alae_jax.main --config=mnist_style --workdir=runs/mnist_style
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
