"""Every field of the configuration, with its default."""

from typing import Any

from ml_collections import ConfigDict

# The name of the dataset of an imported run, which does not know its own.
UNNAMED = 'unnamed'


def default() -> ConfigDict:
  """A locked config with every field; MLP-ALAE's recipe for MNIST."""
  config = ConfigDict()

  config.data = ConfigDict()
  config.data.name = 'mnist'  # a dataset made by `alae prepare`, or digits
  config.data.data_dir = 'data'  # local or remote (gs://...)
  config.data.flip = False  # mirror real images at random
  config.data.threads = 0  # that read and decode; 0: one a core, up to 8
  config.data.workers = 0  # processes that do it, where threads are too slow

  config.model = ConfigDict()
  config.model.kind = 'mlp'  # mlp or style
  config.model.resolution = 28  # image side; style: 0, levels say it
  config.model.channels = 1  # 1 (grey) or 3 (RGB)
  config.model.levels = 1  # resolutions trained; 1 for mlp
  config.model.hidden = (1024, 1024)  # mlp: hidden layers of E and G
  config.model.base_channels = 64  # style: maps at the last level
  config.model.max_channels = 512  # style: maps at most
  config.model.z_dim = 50
  config.model.w_dim = 50
  config.model.mapping_layers = 6  # of F
  config.model.discriminator_layers = 3  # of D, all linear

  config.train = ConfigDict()
  config.train.init_from = ''  # RUN or RUN@IMAGES_SEEN: weights to start with
  config.train.images = 48_000_000  # to see in all
  config.train.batch_size = 128  # over all devices, 0 for 4 on each
  config.train.microbatches = 1  # parts of a batch, one in memory at a time
  # What the devices divide: none, state (the EMA and the optimizer's) or all
  # (the parameters too).
  config.train.shard = 'all'
  # Side from which on maps are made anew in the backward pass; 0 keeps all.
  config.train.remat_resolution = 0
  config.train.learning_rate = 0.002
  config.train.seed = 0
  config.train.compute_dtype = 'float32'  # float32 or bfloat16
  config.train.r1_gamma = 10.0  # for images in [-1, 1]
  config.train.adam_beta2 = 0.99  # beta1 is 0
  config.train.ema_half_life = 10_000.0  # images
  # ... but at most this share of the images that the level has seen: 0 is no
  # bound, as in the authors' release.
  config.train.ema_rampup = 0.05
  config.train.mean_w_beta = 0.995  # of the mean of w, in each phase
  config.train.style_mixing_probability = 0.0  # of steps I and II
  config.train.latent_step_updates_mapping = False  # the release's step III

  config.growth = ConfigDict()
  config.growth.images_per_level = 0  # 0: train the last level alone
  config.growth.first_level = 0  # train.init_from: the level that it reached
  # Per level, the last entry for all higher ones. () derives them:
  config.growth.batch_sizes = ()  # train.batch_size, up to 16-fold below 64x64
  config.growth.learning_rates = ()  # train.learning_rate, more from 256x256

  config.log = ConfigDict()  # how often, in images seen
  config.log.metrics_images = 10_000
  config.log.pictures_images = 500_000
  config.log.checkpoint_images = 500_000
  config.log.keep_last = 3  # checkpoints
  config.log.keep_images = 10_000_000  # and one every so many images for good

  config.evaluation = ConfigDict()
  config.evaluation.use_ema = True  # else the live networks
  config.evaluation.at_end = ()  # metrics when training is over
  config.evaluation.every_images = 0  # metrics while it trains; 0: never
  config.evaluation.metrics = ()  # which, such as (fid5k,lpips_rec)
  config.evaluation.protocol = 'stylegan'  # or pytorch-fid, alae-release
  config.evaluation.features = 'inception'  # or random, pixels, probe:RUN
  config.evaluation.real_images = 0  # for FID, at most; 0: the protocol's
  # A number of theirs, such as fid5k: its best checkpoint is kept for good.
  config.evaluation.keep_best = ''

  config.history = ConfigDict()
  # What `--change` changed, in order: {images_seen, field, was, now} each.
  config.history.changes = ()

  return config.lock()


def default_style(levels: int) -> ConfigDict:
  """The same for a StyleALAE of so many levels (paper 5.2 and 5.3)."""
  config = default()
  config.model.kind = 'style'
  config.model.resolution = 0
  config.model.channels = 3
  config.model.levels = levels
  config.model.z_dim = 512
  config.model.w_dim = 512
  config.model.mapping_layers = 8
  config.train.batch_size = 0
  config.train.learning_rate = 0.0015
  config.train.style_mixing_probability = 0.9
  return config


def flatten(config: ConfigDict) -> dict[str, Any]:
  """{'train.seed': 0, ...}, sequences as tuples."""
  flat = {}
  for section, fields in config.items():
    for field, value in fields.items():
      flat[f'{section}.{field}'] = (
        tuple(value) if isinstance(value, list | tuple) else value
      )
  return flat
