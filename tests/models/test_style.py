"""StyleALAE's networks: shapes, fading, noise, number types, sharding."""

import functools

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from alae_jax.models import style_layers
from alae_jax.models.networks import Stage, build_networks
from alae_jax.models.styles import mix_styles, truncate
from alae_jax.ops.resample import upsample

LEVELS = 3


def networks(dtype='float32', remat_resolution=0):
  return build_networks(
    ml_collections.ConfigDict(
      {
        'model': {
          'kind': 'style',
          'levels': LEVELS,
          'base_channels': 4,
          'max_channels': 8,
          'channels': 3,
          'z_dim': 8,
          'w_dim': 8,
          'mapping_layers': 2,
          'discriminator_layers': 3,
        },
        'train': {
          'compute_dtype': dtype,
          'remat_resolution': remat_resolution,
        },
      }
    )
  )


@pytest.fixture(scope='module')
def net():
  return networks()


@pytest.fixture(scope='module')
def fresh(net):
  return jax.jit(net.init)(jax.random.key(0))


@pytest.fixture(scope='module')
def params(fresh):
  """As after some training.

  Fresh, the constant has no variation and its instance norm shows nothing but
  rounding, times 1e4.
  """
  draw = np.random.default_rng(0).normal
  return jax.tree.map(
    lambda leaf: leaf + 0.1 * draw(size=leaf.shape).astype(leaf.dtype), fresh
  )


@pytest.fixture(scope='module')
def styles(net):
  return jax.random.normal(jax.random.key(1), (2, net.layers, net.w_dim))


@pytest.fixture(scope='module')
def images():
  return jax.random.uniform(jax.random.key(2), (2, 16, 16, 3), minval=-1)


def shapes(tree):
  return {
    jax.tree_util.keystr(path, simple=True, separator='/'): leaf.shape
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def test_bundle_knows_its_sizes(net):
  assert net.resolutions == (4, 8, 16)
  assert (net.levels, net.layers, net.styles_per_level) == (3, 6, 2)


def test_every_levels_parameters_exist_from_the_start(fresh):
  generator, encoder = shapes(fresh['generator']), shapes(fresh['encoder'])
  assert generator['const'] == (4, 4, 8)
  assert 'block_0/conv_1/kernel' not in generator
  assert generator['block_2/conv_1/kernel'] == (3, 3, 8, 4)
  assert generator['block_2/layer_1/style/kernel'] == (8, 8)
  assert generator['to_rgb_2/kernel'] == (4, 3)
  assert encoder['from_rgb_2/kernel'] == (3, 4)
  assert encoder['block_2/conv_2/kernel'] == (3, 3, 4, 8)
  assert encoder['block_0/layer_2/style/kernel'] == (16, 8)
  assert len(generator) == 1 + 8 * LEVELS + 2 * LEVELS - 1 + 2 * LEVELS
  assert len(encoder) == 10 * LEVELS


def test_parameters_start_as_stylegans(fresh):
  for path, leaf in jax.tree_util.tree_leaves_with_path(fresh['generator']):
    name = path[-1].key
    if name == 'kernel':
      assert 0.5 < np.std(leaf) < 1.5
    else:
      assert np.all(leaf == (1.0 if name == 'const' else 0.0))


def test_discriminator_reads_the_output_in_the_middle(net, params):
  assert params['discriminator']['dense_2']['kernel'].shape == (8, 16)
  w = jnp.ones((5, net.w_dim))
  assert net.score(params, w).shape == (5,)


@pytest.mark.parametrize('level', range(LEVELS))
def test_shapes_by_level(net, params, styles, level):
  image = net.decode(params, styles, Stage(level))
  assert image.shape == (2, 4 << level, 4 << level, 3)
  assert net.encode(params, image, Stage(level)).shape == (2, net.w_dim)


def test_styles_of_later_levels_are_not_read(net, params, styles):
  poisoned = styles.at[:, 4:].set(jnp.nan)
  np.testing.assert_array_equal(
    net.decode(params, poisoned, Stage(1)), net.decode(params, styles, Stage(1))
  )


def test_a_traced_blend_of_one_is_the_stable_level(net, params, styles, images):
  def run(blend):
    return (
      net.decode(params, styles, Stage(2, blend)),
      net.encode(params, images, Stage(2, blend)),
    )

  for a, b in zip(run(1.0), jax.jit(run)(1.0), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_static_one_leaves_the_level_below_out(net, params, styles):
  def operations(blend):
    return str(
      jax.make_jaxpr(lambda blend: net.decode(params, styles, Stage(2, blend)))(
        blend
      )
    )

  stable = str(jax.make_jaxpr(lambda: net.decode(params, styles, Stage(2)))())
  assert stable.count('dot_general') + 1 == operations(0.5).count('dot_general')


def test_a_level_starts_as_the_one_below(net, params, styles):
  np.testing.assert_allclose(
    net.decode(params, styles, Stage(2, jnp.float32(0.0))),
    upsample(net.decode(params, styles, Stage(1))),
    atol=1e-6,
  )


def test_an_encoder_level_starts_as_the_one_below(net, params, images):
  small = images[:, :8, :8]
  np.testing.assert_allclose(
    net.encode(params, upsample(small), Stage(2, jnp.float32(0.0))),
    net.encode(params, small, Stage(1)),
    rtol=1e-4,
    atol=1e-5,
  )


def test_noise_is_one_plane_per_image_and_layer(net):
  noise = net.draw_noise(jax.random.key(3), 5, 2)
  assert [plane.shape for plane in noise] == [
    (5, side, side, 1) for side in (4, 4, 8, 8, 16, 16)
  ]
  assert not np.allclose(noise[0], noise[1])
  assert not np.allclose(noise[0][0], noise[0][1])


def test_noise_moves_images_once_its_weights_are_not_zero(net, fresh, styles):
  noise = net.draw_noise(jax.random.key(3), 2, 1)
  other = net.draw_noise(jax.random.key(4), 2, 1)
  at_start = [net.decode(fresh, styles, Stage(1), n) for n in (noise, other)]
  np.testing.assert_array_equal(*at_start)
  trained = jax.tree_util.tree_map_with_path(
    lambda path, x: x + (path[-1].key == 'noise_weight'), fresh
  )
  moved = [net.decode(trained, styles, Stage(1), n) for n in (noise, other)]
  assert np.abs(moved[0] - moved[1]).max() > 1e-3


def test_bfloat16_is_close_and_comes_back_as_float32(
  net, params, styles, images
):
  narrow = networks('bfloat16')
  for name, x in (('decode', styles), ('encode', images)):
    wide = getattr(net, name)(params, x, Stage(2, 0.5))
    close = getattr(narrow, name)(params, x, Stage(2, 0.5))
    assert close.dtype == jnp.float32
    assert np.linalg.norm(close - wide) < 0.05 * np.linalg.norm(wide)


def penalized(net, stage):
  """(params, images) -> what step I differentiates twice, and G once."""

  def loss(params, images):
    gradient = jax.grad(
      lambda images: jnp.sum(net.discriminate(params, images, stage))
    )(images)
    w = net.encode(params, images, stage)
    again = net.decode(params, net.broadcast(w), stage)
    return jnp.sum(jnp.square(gradient)) + jnp.sum(jnp.square(again - images))

  return loss


@pytest.mark.parametrize('blend', [1.0, jnp.float32(0.5)])
def test_maps_made_anew_give_the_same_gradients(net, params, images, blend):
  stage = Stage(2, blend)
  for resolution in (4, 16):
    frugal = networks(remat_resolution=resolution)
    for a, b in zip(
      *(
        jax.tree.leaves(jax.jit(jax.grad(penalized(n, stage)))(params, images))
        for n in (net, frugal)
      ),
      strict=True,
    ):
      np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * np.abs(a).max())


def test_maps_made_anew_are_convolved_anew(params, images):
  """From the resolution on, and nowhere below it."""

  def convolutions(resolution):
    loss = penalized(networks(remat_resolution=resolution), Stage(2))
    program = jax.jit(jax.grad(loss)).lower(params, images).as_text()
    return program.count('convolution')

  counts = [convolutions(resolution) for resolution in (0, 32, 16, 4)]
  assert counts[0] == counts[1] < counts[2] < counts[3]


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_kernels_equalized_before_give_what_they_give_within(
  params, styles, images, dtype
):
  net, stage = networks(dtype), Stage(2)
  ready, given = net.equalize(params), net.equalized()
  assert ready['generator']['block_1']['conv_2']['kernel'].dtype == dtype
  assert given.equalized() == given
  for a, b in zip(
    (net.decode(params, styles, stage), net.encode(params, images, stage)),
    (given.decode(ready, styles, stage), given.encode(ready, images, stage)),
    strict=True,
  ):
    np.testing.assert_array_equal(a, b)


def test_equalizing_is_linear_and_spares_all_but_convolutions(net, params):
  twice = net.equalize(jax.tree.map(lambda leaf: 2 * leaf, params))
  for path, leaf in jax.tree_util.tree_leaves_with_path(net.equalize(params)):
    own = functools.reduce(lambda tree, key: tree[key.key], path, params)
    double = functools.reduce(lambda tree, key: tree[key.key], path, twice)
    np.testing.assert_array_equal(double, 2 * leaf)
    is_convolution = path[-2].key.startswith('conv_')
    assert np.array_equal(leaf, own) != is_convolution


@pytest.mark.parametrize('level', range(LEVELS))
@pytest.mark.parametrize('blend', [1.0, jnp.float32(0.5)])
def test_idle_parts_are_those_without_a_gradient(
  net, params, images, level, blend
):
  stage = Stage(level, blend)
  gradients = jax.jit(jax.grad(penalized(net, stage)))(
    params, images[:, : 4 << level, : 4 << level]
  )
  moved = {
    name: {
      part for part, tree in gradients[name].items() if np.any(leaves(tree))
    }
    for name in ('generator', 'encoder')
  }
  for name, parts in moved.items():
    assert parts == params[name].keys() - net.idle(stage)
  for name in ('mapping', 'discriminator'):
    assert net.idle(stage).isdisjoint(params[name])


def leaves(tree):
  return np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])


def test_latents_are_not_rounded_to_bfloat16(net, params):
  narrow = networks('bfloat16')
  z = jax.random.normal(jax.random.key(3), (4, net.z_dim))
  w = net.map(params, z)
  np.testing.assert_array_equal(narrow.map(params, z), w)
  np.testing.assert_array_equal(narrow.score(params, w), net.score(params, w))
  # G tells latents apart that would be the same in bfloat16.
  near = w * (1 + 2**-11)
  assert np.all(near.astype(jnp.bfloat16) == w.astype(jnp.bfloat16))
  decode = jax.jit(
    lambda w: narrow.decode(params, narrow.broadcast(w), Stage(2))
  )
  assert np.any(decode(near) != decode(w))


def test_gradients_in_bfloat16_are_close(net, params, images):
  stage = Stage(2)
  wide, narrow = (
    jax.jit(jax.grad(penalized(n, stage)))(params, images)
    for n in (net, networks('bfloat16'))
  )
  for name in ('generator', 'encoder', 'discriminator'):
    assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(narrow[name]))
    a, b = leaves(wide[name]), leaves(narrow[name])
    # Few channels round much; what a wider network gives is in the release's
    # reference cases.
    assert np.linalg.norm(a - b) < 0.3 * np.linalg.norm(a), name


def test_deviation_is_the_square_root_and_flat_at_zero():
  variance = jnp.array([0.0, 1e-13, 1e-11, 1e-4, 9.0])
  exact = np.sqrt(variance)
  found = style_layers.deviation(variance)
  np.testing.assert_allclose(found, exact, atol=1e-6)
  np.testing.assert_array_equal(found[2:], exact[2:])
  slope = jax.vmap(jax.grad(style_layers.deviation))
  bend = jax.vmap(jax.grad(jax.grad(style_layers.deviation)))
  assert np.isfinite(slope(variance)).all() and slope(variance)[0] == 0
  assert np.isfinite(bend(variance)).all() and bend(variance)[0] == 0


def test_r1_is_finite_on_an_image_without_variation(net, params):
  def penalty(params, x):
    return jnp.sum(
      jnp.square(jax.grad(lambda x: net.encode(params, x, Stage(1)).sum())(x))
    )

  black = jnp.full((1, 8, 8, 3), -1.0)
  gradients = jax.jit(jax.grad(penalty, (0, 1)))(params, black)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradients))


def test_mix_styles_takes_the_others_from_the_cutoff_on():
  ones, twos = jnp.ones((2, 4, 1)), jnp.full((2, 4, 1), 2.0)
  assert mix_styles(ones, twos, 3)[..., 0].tolist() == [[1, 1, 1, 2]] * 2
  mixed = mix_styles(ones, twos, jnp.array([1, 4]))[..., 0]
  assert mixed.tolist() == [[1, 2, 2, 2], [1, 1, 1, 1]]


def test_truncate_pulls_the_layers_below_the_cutoff_to_the_mean():
  styles, mean = jnp.full((1, 3, 2), 4.0), jnp.zeros((3, 2))
  assert truncate(styles, mean, 0.25, 2)[0, :, 0].tolist() == [1, 1, 4]
  assert truncate(styles, mean[0], 0.0, 1)[0, :, 0].tolist() == [0, 4, 4]
  np.testing.assert_array_equal(truncate(styles, mean, 1.0, 3), styles)


@pytest.mark.skipif(jax.device_count() < 2, reason='one device')
def test_gradients_do_not_depend_on_the_number_of_devices(net, params):
  mesh = jax.make_mesh(
    (2,),
    ('data',),
    devices=jax.devices()[:2],
    axis_types=(jax.sharding.AxisType.Auto,),
  )

  def sharding(*axes):
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))

  def loss(params, x):
    def score(x):
      return jnp.sum(net.encode(params, x, Stage(1, 0.5)))

    return score(x) + jnp.sum(jnp.square(jax.grad(score)(x)))

  x = jax.random.normal(jax.random.key(5), (4, 8, 8, 3))
  alone = jax.jit(jax.grad(loss))(params, x)
  shared = jax.jit(
    jax.grad(loss),
    in_shardings=(sharding(), sharding('data')),
    out_shardings=sharding(),
  )(params, x)
  for a, b in zip(*map(jax.tree.leaves, (alone, shared)), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(a).max())


def test_style_weights_of_some_layers(net):
  def block(i):
    return {
      f'layer_{j + 1}': {'style': {'kernel': np.full((2, 1), 2 * i + j)}}
      for j in range(2)
    }

  generator = {f'block_{i}': block(i) for i in range(3)}
  np.testing.assert_array_equal(
    net.style_weights({'generator': generator}, 1, 4), [[1, 2, 3]] * 2
  )
