"""How far a reconstruction is from its original."""

from collections.abc import Sequence

import numpy as np

from alae_jax.inference.latents import decode, seed_keys
from alae_jax.inference.model import Model
from alae_jax.metrics.similarity import psnr, ssim
from alae_jax.ops.pixels import to_uint8

MEASURES = ('latent_distance', 'psnr', 'ssim')


def reconstruct(
  model: Model, originals: np.ndarray, noise: str, seeds: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
  """G(E(x)) and how far it is from x.

  The latent distance is the root mean square over the components of
  E(x) - E(G(E(x))): the square root of what step III makes small (the
  paper's reciprocity), where 0 is perfect.

  Args:
    model: that reconstructs.
    originals: uint8 [N, H, W, C].
    noise: one of choices.NOISES.
    seeds: [N], of random noise.

  Returns:
    uint8 [N, H, W, C], and [N, 3]: latent distance, PSNR in dB and SSIM.
  """
  w = model.encode(originals)
  decoded = decode(model, model.broadcast(w), noise, seed_keys(seeds))
  distance = np.sqrt(np.square(w - model.encode(decoded)).mean(1))
  results = to_uint8(decoded)
  return results, np.stack(
    [distance, psnr(originals, results), ssim(originals, results)], axis=1
  )
