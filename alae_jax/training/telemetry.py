"""What a run tells while it trains: progress, metrics.jsonl, log.txt."""

import logging
import platform
import sys
import time
from importlib import metadata

import jax
import numpy as np
import tensorboardX
import tqdm
from etils import epath
from tensorboardX import record_writer

from alae_jax import storage
from alae_jax.models.networks import Params
from alae_jax.runs import records
from alae_jax.runs.folder import RunFolder
from alae_jax.runs.schedule import Segment, steps_at

LOGGER = logging.getLogger('alae_jax')
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
  """Appends log lines to log.txt."""

  def __init__(self, folder: RunFolder):
    super().__init__()
    self._path = folder.log
    self.setFormatter(logging.Formatter('%(asctime)s %(message)s'))

  def emit(self, record: logging.LogRecord) -> None:
    storage.append(self._path, self.format(record) + '\n')


class _Console(logging.Handler):
  """Prints log lines above the progress bar."""

  def emit(self, record: logging.LogRecord) -> None:
    tqdm.tqdm.write(self.format(record), file=sys.stdout)
    sys.stdout.flush()


class _RemoteEvents:
  """TensorBoard's events in an object store: all of them at every flush."""

  def __init__(self, path: str):
    self._path = epath.Path(path)
    self._events = bytearray()

  def write(self, event: bytes) -> None:
    self._events += event

  def flush(self) -> None:
    storage.write_whole(self._path, bytes(self._events))

  def close(self) -> None:
    self.flush()


class _RemoteEventsFactory:
  """Tells tensorboardX, whose own needs a client of its own, of the above."""

  def open(self, path: str) -> _RemoteEvents:
    return _RemoteEvents(path)

  def directory_check(self, path: str) -> None:
    """An object store needs no folders."""


record_writer.register_writer_factory('gs', _RemoteEventsFactory())


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
      self._board = tensorboardX.SummaryWriter(
        str(self._folder.path), purge_step=self._images_seen
      )
    for handler in self._handlers:
      LOGGER.addHandler(handler)
    self._bar = tqdm.tqdm(
      total=self._schedule[-1].end,
      initial=self._images_seen,
      unit='img',
      unit_scale=True,
      smoothing=0.05,
      mininterval=0.5,
      dynamic_ncols=True,
      disable=not self._speaks,
    )
    return self

  def __exit__(self, *_) -> None:
    self._bar.close()
    if self._speaks:
      self._board.close()
    for handler in self._handlers:
      LOGGER.removeHandler(handler)

  def say(self, message: str) -> None:
    """A line for the console and log.txt."""
    LOGGER.info(message)

  def restart_clock(self) -> None:
    """Leaves what came before (a compilation, a picture) out of the speed."""
    self._window = (time.monotonic(), self._images_seen)

  def progress(self, images_seen: int, resolution: int) -> None:
    """After every step."""
    self._bar.set_description(f'{resolution}x{resolution}', refresh=False)
    self._bar.update(images_seen - self._images_seen)
    self._images_seen = images_seen

  def write(self, images_seen: int, scalars: dict[str, float]) -> None:
    """A line of metrics.jsonl, TensorBoard, and the bar's losses."""
    if not self._speaks:
      return
    before, images_before = self._window
    now = time.monotonic()
    speed = (images_seen - images_before) / max(now - before, 1e-9)
    self._window = (now, images_seen)
    scalars = {**scalars, 'images_per_second': speed}
    self.record(images_seen, scalars)
    self._bar.set_postfix(
      {short: f'{scalars[name]:.3f}' for short, name in _ON_THE_BAR.items()},
      refresh=False,
    )

  def record(
    self, images_seen: int, scalars: dict[str, float], **words: str
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
    for name, value in scalars.items():
      self._board.add_scalar(name, value, images_seen)
    self._board.flush()


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
