"""What each protocol does to pixels, against PyTorch and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from alae_jax.errors import UserError
from alae_jax.metrics import protocols
from alae_jax.metrics.networks.resize import resize_half_pixel, resize_tf1


def random_bytes(side, channels=3):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (2, side, side, channels)).astype(np.uint8)


@pytest.mark.parametrize('side', [8, 64, 299, 512])
def test_pytorch_fids_preparation_is_pytorchs(side):
  torch = pytest.importorskip('torch')
  images = random_bytes(side)
  expected = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
  expected = torch.nn.functional.interpolate(
    expected, (299, 299), mode='bilinear', align_corners=False
  )
  expected = (2 * expected - 1).permute(0, 2, 3, 1).numpy()
  found = protocols.find('pytorch-fid').prepare(jnp.asarray(images))
  np.testing.assert_allclose(found, expected, atol=2e-6)


def test_half_pixels_by_hand():
  images = jnp.array([0.0, 1.0]).reshape(1, 1, 2, 1) * jnp.ones((1, 2, 2, 1))
  # Pixels lie at -1/4, 1/4, 3/4 and 5/4 of the old ones; beyond the first and
  # the last there is nothing else.
  found = resize_half_pixel(images, 4)[0, 0, :, 0]
  np.testing.assert_allclose(found, [0, 0.25, 0.75, 1], atol=1e-6)


@pytest.mark.parametrize('name', ['stylegan', 'alae-release'])
def test_the_others_prepare_as_tensorflows_graph(name):
  images = random_bytes(32)
  found = protocols.find(name).prepare(jnp.asarray(images))
  expected = (resize_tf1(images.astype(np.float32), 299) - 128) / 128
  np.testing.assert_array_equal(found, expected)


def test_grey_is_seen_as_three_equal_colours():
  grey = random_bytes(8, channels=1)
  for protocol in protocols.PROTOCOLS.values():
    one = protocol.prepare(jnp.asarray(grey))
    np.testing.assert_array_equal(
      one, protocol.prepare(jnp.asarray(grey.repeat(3, axis=3)))
    )


def test_bytes_by_hand():
  images = jnp.array([-1.5, -1.0, -0.002, 0.0, 0.999, 1.0, 2.0])
  stylegan = protocols.find('stylegan').to_bytes(images)
  # round((x + 1) 127.5), as floor(127.5 x + 128) is.
  np.testing.assert_array_equal(stylegan, [0, 0, 127, 128, 255, 255, 255])
  released = protocols.find('alae-release').to_bytes(images)
  # floor((x + 1) 127), clipped.
  np.testing.assert_array_equal(released, [0, 0, 126, 127, 253, 254, 255])


def test_a_protocol_that_there_is_not():
  with pytest.raises(UserError, match="'tf2': there is stylegan, pytorch-fid"):
    protocols.find('tf2')
