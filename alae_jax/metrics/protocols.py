"""The conventions by which others have computed FID, by name.

Numbers of different protocols do not compare: the same images differ by 0.1 and
more.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from alae_jax.errors import UserError
from alae_jax.metrics.networks.inception import SIDE
from alae_jax.metrics.networks.resize import resize_half_pixel, resize_tf1
from alae_jax.ops.pixels import to_bytes


@dataclasses.dataclass(frozen=True)
class Protocol:
  """What is compared with what, and how Inception sees an image.

  Attributes:
    name: by which users choose it.
    released: whether pixels become bytes, images are drawn and real ones
      chosen as in the authors' release: bytes are cut off at (x + 1)·127,
      nine in ten images mix two styles, and of the training images so many as
      are generated are taken, each mirrored with probability 1/2.
    scaled_to_one: whether images are resized by half pixels and scaled to
      [-1, 1], as pytorch-fid does, and not as TensorFlow's graph does.
    reconstructs: the split that reconstructions are made of.
  """

  name: str
  released: bool = False
  scaled_to_one: bool = False
  reconstructs: str = 'test'

  @property
  def style_mixing(self) -> float:
    """The share of generated images that may mix two styles."""
    return 0.9 if self.released else 0.0

  def to_bytes(self, images: jax.Array) -> jax.Array:
    """Float [-1, 1] -> uint8 [0, 255]."""
    if self.released:
      return jnp.clip((images + 1) * 127, 0, 255).astype(jnp.uint8)
    return to_bytes(images)

  def prepare(self, images: jax.Array) -> jax.Array:
    """uint8 [N, H, W, 1 or 3] -> what Inception takes, [N, 299, 299, 3]."""
    pixels = images.astype(jnp.float32)
    if self.scaled_to_one:
      scaled = resize_half_pixel(pixels / 255, SIDE) * 2 - 1
    else:
      scaled = (resize_tf1(pixels, SIDE) - 128) / 128
    return to_colours(scaled)


def to_colours(images: jax.Array) -> jax.Array:
  """[N, H, W, 1 or 3] -> [N, H, W, 3]: grey three times."""
  return jnp.broadcast_to(images, (*images.shape[:3], 3))


PROTOCOLS = {
  protocol.name: protocol
  for protocol in (
    Protocol('stylegan'),  # and TTUR's
    Protocol('pytorch-fid', scaled_to_one=True),
    Protocol('alae-release', released=True, reconstructs='train'),
  )
}


@functools.cache
def find(name: str) -> Protocol:
  """The protocol of a name.

  Raises:
    UserError: there is none.
  """
  if name not in PROTOCOLS:
    raise UserError(f'protocol {name!r}: there is {", ".join(PROTOCOLS)}')
  return PROTOCOLS[name]
