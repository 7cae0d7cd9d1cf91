"""StyleALAE on FFHQ at 1024x1024 (paper section 5.2, tables 3 and 4).

60,000 images for training and 10,000 for testing; 16 epochs a level, 300 in
all. The published model had seen about 9 million images.

Hardware: in the paper 8 Titan RTX for about four days; any number of devices
that divides 32.
Expected (paper): FID 13.09, PPL (w, end) 103.4; StyleGAN 4.40 and 182.1.

Data: the folder or zip images1024x1024 (89 GB), or StyleGAN's
ffhq-r10.tfrecords, from https://github.com/NVlabs/ffhq-dataset

  alae prepare ffhq --source images1024x1024 --data_dir data
  python -m alae_jax.main --config=ffhq --workdir=runs/ffhq
"""

from alae_jax import config as defaults


def get_config():
  config = defaults.default_style(levels=9)

  config.data.name = 'ffhq'
  config.data.flip = True

  config.model.base_channels = 16

  config.train.images = 300 * 60_000
  config.train.batch_size = 32  # 512, 256, 128, 64 on the first levels

  config.growth.images_per_level = 16 * 60_000
  return config
