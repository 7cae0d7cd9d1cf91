"""What a run tells while it trains: progress, metrics.jsonl, log.txt."""

import contextlib
import logging
import platform
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import jax
import numpy as np

from alae_jax import progress, storage
from alae_jax.models.networks import Params
from alae_jax.runs import records
from alae_jax.runs.folder import RunFolder
from alae_jax.runs.schedule import Segment, steps_at
from alae_jax.training.board import Board
from alae_jax.training.inline import Inline

LOGGER = logging.getLogger('alae_jax')
_FEW_LINES = 10
_MOST_WAITING = 0.05  # of the time, and nothing is said
_SECONDS_TO_JUDGE = 10.0  # the first batches are always waited for
_VERSIONED = (
  'alae_jax',
  'jax',
  'jaxlib',
  'flax',
  'optax',
  'orbax-checkpoint',
  'numpy',
)


class _RunLog(logging.Handler):
  """Appends log lines to log.txt; the console has those that don't fit."""

  def __init__(self, folder: RunFolder):
    super().__init__()
    self._path = folder.log
    self._lacks_lines = False
    self.setFormatter(logging.Formatter('%(asctime)s %(message)s'))

  def emit(self, record: logging.LogRecord) -> None:
    try:
      storage.append(self._path, self.format(record) + '\n')
    except OSError as error:
      if not self._lacks_lines:
        _print(f'{self._path}: {error.strerror}; it will lack lines')
      self._lacks_lines = True


class _Console(logging.Handler):
  """Prints log lines."""

  def emit(self, record: logging.LogRecord) -> None:
    _print(self.format(record))


def _print(line: str) -> None:
  progress.write(line, sys.stdout)


class Telemetry:
  """The voice of a run; use it as a context manager.

  Only the first process speaks; in the others every method does nothing.
  """

  def __init__(
    self,
    folder: RunFolder,
    schedule: tuple[Segment, ...],
    images_seen: int,
  ):
    """Prepares log, records and progress bar.

    Args:
      folder: of the run, which exists.
      schedule: of the run, for its length and to number steps.
      images_seen: where the run begins or goes on; later records are dropped.
    """
    self._speaks = jax.process_index() == 0
    self._folder = folder
    self._schedule = schedule
    self._images_seen = images_seen
    self._window = (time.monotonic(), images_seen)
    self._waited = 0.0
    self._tells_of_waiting = True
    self._told_of_waiting = -1
    self._at_level = (0, 0.0, 0.0)  # its resolution, seconds, and waited
    self._began = time.monotonic()

  def __enter__(self) -> 'Telemetry':
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    self._handlers: list[logging.Handler] = []
    if self._speaks:
      self._handlers = [_RunLog(self._folder), _Console()]
      records.rewind(self._folder.metrics, self._images_seen)
      self._seconds_before = records.seconds_trained(
        self._folder.metrics, self._images_seen
      )
      self._board = Board(self._folder.path, self._images_seen)
      self._inline = Inline() if progress.in_notebook() else None
    for handler in self._handlers:
      LOGGER.addHandler(handler)
    if self._speaks:
      self._tell_of_strange_lines()
    self._bar = (
      progress.start(
        'starting',
        self._schedule[-1].end,
        self._images_seen,
        'images',
        say=_print,
        leave=True,
        unit_scale=True,
      )
      if self._speaks
      else None
    )
    return self

  def __exit__(self, *_) -> None:
    if self._bar is not None:
      self._bar.close()
    for handler in self._handlers:
      LOGGER.removeHandler(handler)

  def say(self, message: str) -> None:
    """A line for the console and log.txt."""
    LOGGER.info(message)

  def _tell_of_strange_lines(self) -> None:
    lines = records.strange_lines(self._folder.metrics)
    if lines:
      shown = ', '.join(map(str, lines[:_FEW_LINES]))
      more = len(lines) - _FEW_LINES
      LOGGER.warning(
        '%s: no record in line %s%s: skipped',
        self._folder.metrics,
        shown,
        f' and {more} more' if more > 0 else '',
      )

  def restart_clock(self) -> None:
    """Leaves what came before (a compilation, a picture) out of the speed."""
    self._window = (time.monotonic(), self._images_seen)
    self._waited = 0.0

  @contextlib.contextmanager
  def waiting(self, can_be_faster: bool = True) -> Iterator[None]:
    """While the loop waits for data.

    Batches are made ahead in the background: there is a wait only where the
    devices are quicker.

    Args:
      can_be_faster: whether a user can do something about it.
    """
    self._tells_of_waiting = can_be_faster
    began = time.monotonic()
    yield
    self._waited += time.monotonic() - began

  def advance(self, images_seen: int, resolution: int) -> None:
    """After every step."""
    if self._bar is not None:
      self._bar.set_description(f'{resolution}x{resolution}', refresh=False)
      self._bar.update(images_seen - self._images_seen)
    self._images_seen = images_seen

  def write(self, images_seen: int, scalars: dict[str, float]) -> None:
    """A line of metrics.jsonl, TensorBoard, and the bar's losses."""
    if not self._speaks:
      return
    before, images_before = self._window
    now = time.monotonic()
    seconds = max(now - before, 1e-9)
    speed = (images_seen - images_before) / seconds
    data_wait = min(self._waited / seconds, 1.0)
    self._tell_of_waiting(int(scalars['resolution']), seconds)
    self._window, self._waited = (now, images_seen), 0.0
    scalars = {**scalars, 'images_per_second': speed, 'data_wait': data_wait}
    self.record(images_seen, scalars)
    assert self._bar is not None
    facts = [
      f'{short} {scalars[name]:.3f}' for short, name in _ON_THE_BAR.items()
    ]
    if data_wait > _MOST_WAITING and self._tells_of_waiting:
      facts.append(f'{data_wait:.0%} waiting for data')
    self._bar.set_postfix_str(', '.join(facts), refresh=False)

  def _tell_of_waiting(self, resolution: int, seconds: float) -> None:
    """Once a level, if data is slower than the devices for a while."""
    before, in_all, waited = self._at_level
    if before != resolution:
      in_all = waited = 0.0
    in_all, waited = in_all + seconds, waited + self._waited
    self._at_level = (resolution, in_all, waited)
    share = waited / in_all
    if (
      in_all > _SECONDS_TO_JUDGE
      and share > _MOST_WAITING
      and self._tells_of_waiting
      and self._told_of_waiting != resolution
    ):
      self._told_of_waiting = resolution
      self.say(
        f'warning: {share:.0%} of the time at {resolution}x{resolution} is '
        'spent waiting for data: raise --config.data.threads, or '
        '--config.data.workers for processes that decode'
      )

  def record(
    self, images_seen: int, scalars: dict[str, float], **words: Any
  ) -> None:
    """A line of metrics.jsonl and TensorBoard, for what has no speed.

    Args:
      images_seen: by the state that the numbers are of.
      scalars: by name.
      **words: for the line alone.
    """
    if not self._speaks:
      return
    seconds = self._seconds_before + time.monotonic() - self._began
    records.append(
      self._folder.metrics,
      {
        'images_seen': images_seen,
        'step': steps_at(self._schedule, images_seen),
        'seconds': round(seconds, 3),
        **words,
        **scalars,
      },
    )
    self._board.add_scalars(scalars, images_seen)

  def show(self, name: str, image: np.ndarray, images_seen: int) -> None:
    """A picture uint8 [H, W, C] for TensorBoard, and for a notebook."""
    if self._speaks:
      self._board.add_picture(name, image, images_seen)
      if self._inline is not None:
        self._inline.show(name, image, images_seen)


_ON_THE_BAR = {
  'D': 'loss_discriminator',
  'G': 'loss_generator',
  'w': 'loss_latent',
}


def describe_machine() -> str:
  """Versions and devices, in one line."""
  versions = ', '.join(
    f'{name} {metadata.version(name)}' for name in _VERSIONED
  )
  devices = jax.devices()
  return (
    f'Python {platform.python_version()}, {versions}; '
    f'{len(devices)} x {devices[0].device_kind} in '
    f'{jax.process_count()} process(es)'
  )


def describe_parameters(params: Params) -> str:
  """How many parameters each network has, in one line."""
  counts = {
    name: sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))
    for name, tree in params.items()
  }
  return (
    'parameters: '
    + ', '.join(f'{name} {count:,}' for name, count in counts.items())
    + (f', in all {sum(counts.values()):,}')
  )
