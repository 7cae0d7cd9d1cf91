"""What a user passes to a Model in Python, checked: one clear error each."""

import math
import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# G's images overshoot [-1, 1], an untrained one's up to 20, and E takes them;
# what reaches farther are bytes made float.
_FARTHEST_PIXEL = 50.0


def fetch(name: str, x: Any) -> np.ndarray:
  """An array in the host's memory.

  Raises:
    TypeError: it has no values yet, as under jit, grad or vmap.
  """
  refuse_traced(name, x)
  try:
    return np.asarray(x)
  except jax.errors.TracerArrayConversionError:
    raise _traced(name) from None


def refuse_traced(name: str, *values: Any) -> None:
  """Refuses what has no value yet.

  Raises:
    TypeError: names the functions that can be traced.
  """
  if any(isinstance(x, jax.core.Tracer) for x in values):
    raise _traced(name)


def _traced(name: str) -> TypeError:
  return TypeError(
    f"{name}: a Model's methods give numpy arrays and can't be traced by jit, "
    'grad or vmap: use the functions of model.pure, such as '
    'model.pure.decode(params, w)'
  )


def whole_number(name: str, value: Any, most: int | None = None) -> int:
  """A number of things, as an int.

  Raises:
    ValueError: it is not whole, or not between 0 and `most`.
  """
  try:
    number = -1 if isinstance(value, bool | np.bool_) else operator.index(value)
  except TypeError:
    number = -1
  if number < 0 or (most is not None and number > most):
    wanted = 'from 0 on' if most is None else f'from 0 to {most}'
    raise ValueError(f'{name} is {value!r}: give a whole number {wanted}')
  return number


def finite(name: str, value: Any) -> float:
  """A number as it is.

  Raises:
    ValueError: it is none, or not finite.
  """
  refuse_traced(name, value)
  try:
    number = float(value) if math.isfinite(value) else None
  except TypeError:
    number = None
  if number is None:
    raise ValueError(f'{name} is {value!r}: it must be a finite number')
  return number


def pixels(images: Any) -> np.ndarray:
  """Images of any shape: uint8, or float32 in about [-1, 1].

  Raises:
    ValueError: they are of another type or range, or not finite.
  """
  images = fetch('images', images)
  if images.dtype == np.uint8:
    return images
  if not jnp.issubdtype(images.dtype, jnp.floating):
    raise ValueError(
      f'images are {images.dtype}: give uint8 in [0, 255] or float in [-1, 1]'
    )
  images = images.astype(np.float32)
  if images.size and not np.abs(images).max() <= _FARTHEST_PIXEL:
    raise ValueError(
      f'float images reach from {images.min():.4g} to {images.max():.4g}: '
      'they must be in [-1, 1]'
    )
  return images


def latents(name: str, x: Any, shape: tuple[int | None, ...]) -> np.ndarray:
  """The same as float32, if it is of this shape, real and finite.

  Raises:
    ValueError: it is not.
  """
  x = fetch(name, x)
  real = jnp.issubdtype(x.dtype, jnp.number) and not np.iscomplexobj(x)
  if not real:
    raise ValueError(f'{name} are {x.dtype}: give real numbers')
  x = x.astype(np.float32)
  check_shape(name, x, shape)
  if not np.isfinite(x).all():
    raise ValueError(f'{name} have values that are not finite')
  return x


def check_shape(
  name: str, x: np.ndarray | jax.Array, shape: tuple[int | None, ...]
) -> None:
  """Refuses another shape; None stands for any size.

  Raises:
    ValueError: says which it has and which it must have.
  """
  fits = len(x.shape) == len(shape) and all(
    want in (None, have) for want, have in zip(shape, x.shape, strict=True)
  )
  if not fits:
    wanted = ', '.join('N' if side is None else str(side) for side in shape)
    raise ValueError(
      f'{name} have shape {list(x.shape)}: it must be [{wanted}]'
    )
