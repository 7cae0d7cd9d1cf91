"""What exported programs compute: functions of the weights and of arrays.

The formats that write programs share these, and add what each has to itself.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax

from alae_jax.inference import pure
from alae_jax.inference.model import Model
from alae_jax.models import styles as styles_lib
from alae_jax.runs import exported as exported_lib

# Five rows of each argument that functions take, and psi.
_EXAMPLES = {
  'z': 'z = np.random.randn(5, {0}).astype(np.float32)',
  'w': 'w = np.zeros((5, {0}), np.float32)',
  'styles': 'styles = np.zeros((5, {0}, {1}), np.float32)',
  'images': 'images = np.zeros((5, {0}, {1}, {2}), np.float32)',
  'noise': 'noise = np.random.randn(5, {0}).astype(np.float32)',
  'keys': 'keys = np.array([[0, seed] for seed in range(5)], np.uint32)',
  'psi': 'psi = np.array(0.7, np.float32)',
}


class Function(NamedTuple):
  """A row of a table.

  Attributes:
    call: of a model, its tensors and the arguments. Of the model only the
      networks, the level and the blend are used.
    takes: names of the arguments, see `shapes`.
    gives: what comes out.
    text: the same in words.
  """

  call: Callable[..., jax.Array]
  takes: tuple[str, ...]
  gives: str
  text: str


def shapes(model: Model) -> dict[str, tuple[int, ...]]:
  """Of a row of what functions take and give; () for one for all rows."""
  images = (model.resolution, model.resolution, model.channels)
  return {
    'z': (model.z_dim,),
    'w': (model.w_dim,),
    'styles': (model.layers, model.w_dim),
    'images': images,
    'reconstructions': images,
    'psi': (),
  }


def _map(model: Model, tensors, z):
  params = exported_lib.to_params(tensors)
  return pure.apply_f(model.networks, model.level, params, model.blend, z)


def _encode(model: Model, tensors, images):
  params = exported_lib.to_params(tensors)
  return pure.apply_e(model.networks, model.level, params, model.blend, images)


def _decode(model: Model, tensors, w):
  return _decode_styles(model, tensors, model.networks.broadcast(w))


def _decode_styles(model: Model, tensors, styles):
  params = exported_lib.to_params(tensors)
  return pure.apply_g(model.networks, model.level, params, model.blend, styles)


def _reconstruct(model: Model, tensors, images):
  return _decode(model, tensors, _encode(model, tensors, images))


def truncated_styles(model: Model, tensors, z, psi):
  """F, and every layer's w drawn to its mean: [N, layers, w_dim]."""
  styles = model.networks.broadcast(_map(model, tensors, z))
  mean_w = tensors[exported_lib.MEAN_W]
  return styles_lib.truncate(styles, mean_w, psi, model.layers)


SHARED = {
  'map': Function(_map, ('z',), 'w', 'F: z, standard normal, to w.'),
  'encode': Function(
    _encode,
    ('images',),
    'w',
    'E: images, float32 in [-1, 1] (pixels / 127.5 - 1), to w.',
  ),
  'decode': Function(
    _decode,
    ('w',),
    'images',
    'G: w, the same for every layer, to images of about [-1, 1].\n'
    'Deterministic: no noise is drawn.',
  ),
  'decode_styles': Function(
    _decode_styles,
    ('styles',),
    'images',
    'G: a w for each layer, so that layers of several w can be mixed, to\n'
    'images of about [-1, 1]. Deterministic, as `decode` is.',
  ),
  'reconstruct': Function(
    _reconstruct,
    ('images',),
    'reconstructions',
    'G(E(x)): images as `encode` takes them to images. Deterministic.',
  ),
}


def guide(
  template: str,
  name: str,
  function: Function,
  shapes: Mapping[str, tuple[int, ...]],
) -> str:
  """How a program is called, with an example that runs.

  Args:
    template: Markdown with places for `name`, `text`, `inputs`, which makes
      the arguments, `takes` and `feed`, which hand them over in order or by
      name, `gives` and its `shape`.
    name: of the function.
    function: that is described.
    shapes: of a row of each of its arguments and of what it gives.
  """
  return template.format(
    name=name,
    text=function.text,
    inputs='\n'.join(
      _EXAMPLES[argument].format(*shapes[argument])
      for argument in function.takes
    ),
    takes=', '.join(function.takes),
    feed=', '.join(f"'{argument}': {argument}" for argument in function.takes),
    gives=function.gives,
    shape=[5, *shapes[function.gives]],
  )
