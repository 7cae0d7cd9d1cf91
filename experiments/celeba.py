"""StyleALAE on CelebA at 128x128 (the release's recipe).

182,637 images for training and 19,962 for testing (the official partition,
training and validation together), the 128x128 pixels from row 60, column 25;
6 epochs a level, 80 in all; networks half as wide and w half as long as for
the larger sets.

Hardware: in the release 8 GPUs; any number of devices that divides 32.
Time: not measured. Expected numbers: none were published for this size.

Data: img_align_celeba.zip (1.4 GB) from
https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html

  alae prepare celeba --source img_align_celeba.zip --data_dir data
  python -m alae_jax.main --config=celeba --workdir=runs/celeba
"""

from alae_jax import config as defaults


def get_config():
  config = defaults.default_style(levels=6)

  config.data.name = 'celeba'
  config.data.flip = True

  config.model.max_channels = 256
  config.model.z_dim = 256
  config.model.w_dim = 256

  config.train.images = 80 * 182_637
  config.train.batch_size = 32  # 512, 256, 128, 64 on the first levels

  config.growth.images_per_level = 6 * 182_637
  return config
