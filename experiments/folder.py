"""StyleALAE on a folder of your own images, at 128x128.

`alae prepare` crops and resizes whatever it finds in the folder and keeps some
for testing. Another size is another number of levels: 7 for 256x256, 5 for
64x64. Batches and learning rates follow from the resolution and from how many
devices there are; mirror images only if left and right mean nothing.

  alae prepare images --source FOLDER --data_dir data --resolution 128
  python -m alae_jax.main --config=folder --workdir=runs/images
"""

from alae_jax import config as defaults


def get_config():
  config = defaults.default_style(levels=6)

  config.data.name = 'images'
  config.data.flip = True

  config.model.max_channels = 256
  config.model.z_dim = 256
  config.model.w_dim = 256

  config.train.images = 5_000_000
  config.growth.images_per_level = 500_000

  config.log.pictures_images = 50_000
  config.log.checkpoint_images = 50_000
  return config
