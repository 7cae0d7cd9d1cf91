"""StyleALAE on CelebA-HQ at 256x256 (paper section 5.3, table 5).

29,000 images for training and 1,000 for testing; 30 epochs a level, 280 in
all; learning rate 0.0015 throughout.

Hardware: in the paper 8 GPUs; any number of devices that divides 32.
Time: not measured; the paper gives four days on 8 Titan RTX for FFHQ.
Expected (paper): FID 19.21, PPL (full) 33.29.

Data: CelebAMask-HQ.zip (3 GB) from
https://github.com/switchablenorms/CelebAMask-HQ, unzipped or not, or any of
the forms that `alae prepare --help` names.

  alae prepare celebahq --source CelebAMask-HQ.zip --data_dir data
  python -m alae_jax.main --config=celebahq --workdir=runs/celebahq
"""

from alae_jax import config as defaults


def get_config():
  config = defaults.default_style(levels=7)

  config.data.name = 'celebahq'
  config.data.flip = True

  config.train.images = 280 * 29_000
  config.train.batch_size = 32  # 512, 256, 128, 64 on the first levels

  config.growth.images_per_level = 30 * 29_000
  config.growth.learning_rates = (0.0015,)  # at 256x256 too
  return config
