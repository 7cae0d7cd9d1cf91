"""StyleALAE on LSUN bedrooms at 256x256 (paper section 5.2, table 3).

758,260 images, 2 epochs a level, 112 in all.

Hardware: in the paper 8 GPUs; any number of devices that divides 32.
Time: not measured.
Expected (paper): FID of reconstructions 15.92.

Data: bedroom_train_lmdb (43 GB) and bedroom_val_lmdb, unzipped into one
folder, by https://github.com/fyu/lsun; a quarter is what the release took.

  pip install 'alae_jax[lmdb]'
  alae prepare bedroom --source lsun --data_dir data --max_images 758260
  python -m alae_jax.main --config=bedroom --workdir=runs/bedroom
"""

from alae_jax import config as defaults


def get_config():
  config = defaults.default_style(levels=7)

  config.data.name = 'bedroom'
  config.data.flip = True

  config.model.base_channels = 32

  config.train.images = 112 * 758_260
  config.train.batch_size = 32  # 512, 256, 128, 64 on the first levels

  config.growth.images_per_level = 2 * 758_260
  return config
