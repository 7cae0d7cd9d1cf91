"""The arrays in a checkpoint: those that are wanted, or an error."""

from collections.abc import Collection
from typing import Any

import jax
import orbax.checkpoint as ocp
import tensorstore
from etils import epath

from alae_jax import storage

_ARRAY = '.zarray'  # a file that each array has


def read(path: epath.Path, wanted: dict[str, Any]) -> dict[str, Any]:
  """Reads some fields of a state, and nothing else.

  Args:
    path: where Orbax has put the state.
    wanted: shapes, types and shardings of the fields, by name.

  Raises:
    Exception: of any kind that Orbax and TensorStore raise; ValueError where
      names or shapes differ.
  """
  _compare(_shapes(path, wanted), wanted)
  with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
    return checkpointer.restore(
      path,
      args=ocp.args.PyTreeRestore(
        item=wanted,
        restore_args=ocp.checkpoint_utils.construct_restore_args(wanted),
        partial_restore=True,
      ),
    )


def probe(path: epath.Path, fields: Collection[str]) -> None:
  """Reads fields of a state, an array at a time, and lets them go.

  Where Orbax meets an error, the other reads go on and each prints a traceback
  when it finds that nobody waits any more.

  Raises:
    Exception: like `read`.
  """
  url = f'{path}/' if storage.is_remote(path) else f'file://{path}/'
  store = {'driver': 'ocdbt', 'base': url}
  context = tensorstore.Context()
  keys = tensorstore.KvStore.open(store, context=context).result().list()
  opened = [
    tensorstore.open(
      {
        'driver': 'zarr',
        'kvstore': {**store, 'path': key.decode().removesuffix(_ARRAY)},
      },
      context=context,
    )
    for key in keys.result()
    if key.endswith(_ARRAY.encode())
    and key.decode().partition('.')[0].partition('/')[0] in fields
  ]
  for array in opened:
    array.result().read().result()
  _shapes(path, fields)


def _shapes(
  path: epath.Path, fields: Collection[str]
) -> dict[str, tuple[int, ...]]:
  """Names and shapes of the arrays that are stored of some fields."""
  tree = ocp.PyTreeCheckpointHandler().metadata(path).tree
  return {
    _name(key): tuple(leaf.shape)
    for key, leaf in jax.tree_util.tree_leaves_with_path(tree)
    if _name(key[:1]) in fields
  }


def _compare(
  stored: dict[str, tuple[int, ...]], wanted: dict[str, Any]
) -> None:
  """Orbax lets arrays pass that are not wanted, or not there.

  Raises:
    ValueError: names the first array that differs.
  """
  shapes = {
    _name(key): leaf.shape
    for key, leaf in jax.tree_util.tree_leaves_with_path(wanted)
  }
  for name in sorted(shapes.keys() | stored.keys()):
    there, here = stored.get(name), shapes.get(name)
    if there != here:
      raise ValueError(
        f'{name} is {_describe(there)} there and {_describe(here)} by '
        'config.json'
      )


def _describe(shape: tuple[int, ...] | None) -> str:
  return 'missing' if shape is None else str(list(shape))


def _name(path: tuple) -> str:
  return jax.tree_util.keystr(path, simple=True, separator='.')
