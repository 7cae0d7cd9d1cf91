"""`alae_jax.main`, which tells how often processes waited for one another.

By way of the host, that is: the sums within a step are no part of it.
"""

import sys

from jax.experimental import multihost_utils

from alae_jax import main
from alae_jax.training import hooks

_COLLECTIVE = (
  'assert_equal',
  'broadcast_one_to_all',
  'process_allgather',
  'sync_global_devices',
)


class Count:
  """Of calls in all, and of those between two looks at a state."""

  def __init__(self):
    self.calls, self.steps, self.between = 0, 0, 0
    for name in _COLLECTIVE:
      self._count(multihost_utils, name)
    self._look = hooks.Watch.after_step
    self._before = None
    hooks.Watch.after_step = lambda watch, *args: self._after(watch, *args)

  def _count(self, module, name):
    function = getattr(module, name)

    def counted(*args, **kwargs):
      self.calls += 1
      return function(*args, **kwargs)

    setattr(module, name, counted)

  def _after(self, watch, *args):
    self.steps += 1
    if self._before is not None:
      self.between += self.calls - self._before
    stop = self._look(watch, *args)
    self._before = self.calls
    return stop


if __name__ == '__main__':
  count = Count()
  status = main.main()
  print(f'{count.steps} steps, {count.between} collectives between them')
  sys.exit(status)
