"""MLP-ALAE's MNIST recipe (paper section 5.1) on Fashion-MNIST.

  alae prepare fashion_mnist --data_dir data
  python -m alae_jax.main --config=experiments/fashion_mnist.py \
      --workdir=runs/fashion_mnist
"""

from experiments import mnist


def get_config():
  config = mnist.get_config()
  config.data.name = 'fashion_mnist'
  return config
