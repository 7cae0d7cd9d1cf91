"""Feature networks compute in float32 where accelerators would not."""

import jax
import jax.extend
import jax.numpy as jnp
import pytest

from alae_jax.metrics import features, perceptual, protocols
from alae_jax.metrics.networks import inception, vgg

PRODUCTS = ('conv_general_dilated', 'dot_general')


def shapes(module, *sides):
  samples = [jax.ShapeDtypeStruct((1, s, s, 3), jnp.float32) for s in sides]
  return jax.eval_shape(module.init, jax.random.key(0), *samples)['params']


def products(jaxpr):
  """All convolutions and matrix products, within functions too."""
  for equation in jaxpr.eqns:
    if equation.primitive.name in PRODUCTS:
      yield equation
    for inner in jax.extend.core.jaxprs_in_params(equation.params):
      yield from products(inner)


def of_inception(name):
  extract = features.OfInception(protocols.find(name))
  images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.uint8)
  return extract, shapes(inception.Inception(), 299), images


def of_lpips(function):
  images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
  return function, shapes(vgg.Lpips(), 32, 32), images, images


@pytest.mark.parametrize(
  ('case', 'least'),
  [
    (lambda: of_inception('stylegan'), 94),
    (lambda: of_inception('pytorch-fid'), 94),
    (lambda: of_lpips(perceptual.distance), 18),
    (lambda: of_lpips(perceptual.squared_speed), 31),
  ],
)
def test_every_product_is_of_the_highest_precision(case, least):
  function, *arguments = case()
  found = list(products(jax.make_jaxpr(function)(*arguments).jaxpr))
  assert len(found) >= least
  highest = jax.lax.Precision.HIGHEST
  for equation in found:
    assert set(jax.tree.leaves(equation.params['precision'])) == {highest}
