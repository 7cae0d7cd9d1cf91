"""3x3 convolutions with few multiplications, by minimal filtering.

Along one axis, the outputs y of a small tile are, for a window x of inputs and
the three taps k of the kernel,

  y = result @ ((kernel @ k) * (data @ x)),

with one multiplication for each row of `kernel` and `data`. Along two axes the
matrices act on both sides; with channels, each multiplication is a matrix
product over all tiles (Lavin and Gray, 2015, "Fast Algorithms for
Convolutional Neural Networks"). All entries are 0, 1 or 1/2 but for the sign,
so that nothing is lost to rounding that a sum of taps would keep.

  * `PLAIN`, Winograd's F(2, 3): 16 products where the taps of a 2x2 tile
    take 36.
  * `DOUBLING` and `HALVING` join the convolution with the resampling: 9
    products where the taps take 36, and the merged 4x4 kernel 16.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

Matrix = Sequence[Sequence[float]]
Grid = Sequence[Sequence[jax.Array]]


class Algorithm(NamedTuple):
  """What is done along each axis; see the module."""

  data: Matrix  # [products, window]
  kernel: Matrix  # [products, 3]
  result: Matrix  # [outputs, products]
  stride: int  # from one window to the next; the first begins at pixel -1


PLAIN = Algorithm(
  data=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
  kernel=((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
  result=((1, 1, 1, 0), (0, 1, -1, -1)),
  stride=2,
)

# Each output of a doubled map sees two pixels: its own under two of the taps,
# and a neighbour. All three taps on the pixel itself, corrected by the
# difference to the neighbour under one tap, serve both outputs of the pixel.
DOUBLING = Algorithm(
  data=((1, -1, 0), (0, 1, 0), (0, -1, 1)),
  kernel=((1, 0, 0), (1, 1, 1), (0, 0, 1)),
  result=((1, 1, 0), (0, 1, 1)),
  stride=1,
)

# The mean of two neighbouring outputs, likewise.
HALVING = Algorithm(
  data=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 0, 1)),
  kernel=((0.5, 0, 0), (0.5, 0.5, 0.5), (0, 0, 0.5)),
  result=((1, 1, 1),),
  stride=2,
)


_OTHER = {PLAIN: PLAIN, DOUBLING: HALVING, HALVING: DOUBLING}


def convolve(
  algorithm: Algorithm, x: jax.Array, kernel: jax.Array
) -> jax.Array:
  """[N, H, W, I], [3, 3, I, O] -> [N, H', W', O], with zeros outside x."""
  return _filter(algorithm, x, kernel, 'nhwi,io->nhwo')


def input_gradient(
  algorithm: Algorithm, g: jax.Array, kernel: jax.Array
) -> jax.Array:
  """Gradient of <convolve(x, kernel), g> by x: [N, H, W, I].

  It convolves with the kernel turned around, and doubling and halving change
  places, up to a factor that the kernel's matrix holds.
  """
  turned = _OTHER[algorithm]._replace(
    kernel=tuple(row[::-1] for row in algorithm.kernel)
  )
  return _filter(turned, g, kernel, 'nhwo,io->nhwi')


def kernel_gradient(
  algorithm: Algorithm, x: jax.Array, g: jax.Array
) -> jax.Array:
  """Gradient of <convolve(x, kernel), g> by the kernel: [3, 3, I, O]."""
  data = _sandwich(algorithm.data, _input_windows(algorithm, x))
  outputs = len(algorithm.result)
  results = _sandwich(
    _transposed(algorithm.result), _windows(g, outputs, outputs)
  )
  products = _each(lambda d, r: _pixels(d).T @ _pixels(r), data, results)
  taps = _sandwich(_transposed(algorithm.kernel), products)
  return jnp.stack([jnp.stack(row) for row in taps])


def _filter(
  algorithm: Algorithm, x: jax.Array, kernel: jax.Array, channels: str
) -> jax.Array:
  """The convolution, with `channels` an einsum of a tap's two operands."""
  data = _sandwich(algorithm.data, _input_windows(algorithm, x))
  taps = _sandwich(algorithm.kernel, [list(row) for row in kernel])
  products = _each(functools.partial(jnp.einsum, channels), data, taps)
  tiles = _sandwich(algorithm.result, products)
  y = jnp.stack([jnp.stack(row, axis=3) for row in tiles], axis=2)
  n, h, rows, w, columns, outputs = y.shape
  return y.reshape(n, h * rows, w * columns, outputs)


def _each(function, *grids: Grid) -> Grid:
  """function(entry of each grid), for every position."""
  return [
    [function(*entries) for entries in zip(*rows, strict=True)]
    for rows in zip(*grids, strict=True)
  ]


def _pixels(x: jax.Array) -> jax.Array:
  return x.reshape(-1, x.shape[-1])


def _input_windows(algorithm: Algorithm, x: jax.Array) -> Grid:
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  return _windows(x, len(algorithm.data[0]), algorithm.stride)


def _windows(x: jax.Array, size: int, stride: int) -> Grid:
  """Entry [i][j] holds pixel (i, j) of every size x size window of x."""
  ends = [(side - size) // stride * stride + 1 for side in x.shape[1:3]]
  return [
    [
      x[:, i : i + ends[0] : stride, j : j + ends[1] : stride]
      for j in range(size)
    ]
    for i in range(size)
  ]


def _sandwich(matrix: Matrix, grid: Grid) -> Grid:
  """The matrix on both sides: matrix @ grid @ matrix^T."""
  rows = [[_combine(row, line) for row in matrix] for line in grid]
  columns = [
    [_combine(row, line) for row in matrix] for line in _transposed(rows)
  ]
  return _transposed(columns)


def _transposed(matrix):
  return list(zip(*matrix, strict=True))


def _combine(
  coefficients: Sequence[float], arrays: Sequence[jax.Array]
) -> jax.Array:
  """Sum of coefficient * array, without the terms that are zero."""
  terms = [
    array if coefficient == 1 else coefficient * array
    for coefficient, array in zip(coefficients, arrays, strict=True)
    if coefficient
  ]
  return sum(terms[1:], start=terms[0])
