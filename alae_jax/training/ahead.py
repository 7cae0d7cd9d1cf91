"""The step of the next level, compiled while this one trains."""

import threading
import time
from collections.abc import Callable

import jax

from alae_jax.errors import ABANDONED, reason
from alae_jax.runs.schedule import Segment
from alae_jax.training.compile import compile_lowered, lower_step
from alae_jax.training.opening import Run, run_at
from alae_jax.training.telemetry import Telemetry

# Where a step is compiled on cores that training leaves idle. For a GPU, XLA
# tries kernels out on the device: beside a step that trains it would measure
# wrong, and want memory that the step has. On a CPU the two would share the
# cores, and a step whose threads wait for one another slows tenfold.
BACKENDS = ('tpu',)


class Ahead:
  """Compiles the steps of a run, each before it is asked for where that pays.

  The thread is no daemon: Python must not end while XLA compiles, or it
  aborts. A program that ends waits for it; a command does not (see
  `commands.leaving`).
  """

  def __init__(self, run: Run, telemetry: Telemetry):
    """Compiles nothing yet.

    Args:
      run: whose schedule names the segments.
      telemetry: is told what is compiled.
    """
    self._run, self._telemetry = run, telemetry
    self._next: _Compilation | None = None

  def compile(self, segment: Segment) -> jax.stages.Compiled:
    """The step of a segment, an executable, which can't recompile.

    That of the segment after it is begun.

    Raises:
      TooLarge: the devices' memory does not hold it.
    """
    executable = self._take(segment) or self._compile_now(segment)
    self._begin(segment)
    return executable

  def _take(self, segment: Segment) -> jax.stages.Compiled | None:
    """What was compiled before; None where nothing was, or it failed."""
    compilation, self._next = self._next, None
    if compilation is None or compilation.segment != segment:
      return None
    began = time.monotonic()
    if compilation.is_alive():
      self._telemetry.say(f'waiting for {self._name(segment)} to be compiled')
    compilation.join()
    if compilation.executable is not None:
      self._telemetry.say(
        f'{self._name(segment)} was compiled in {compilation.seconds:.1f} s '
        f'while others trained, {time.monotonic() - began:.1f} s after them'
      )
    return compilation.executable

  def _compile_now(self, segment: Segment) -> jax.stages.Compiled:
    self._telemetry.say(f'compiling {self._name(segment)}')
    began = time.monotonic()
    executable = compile_lowered(self._lower(segment))
    self._telemetry.say(f'compiled in {time.monotonic() - began:.1f} s')
    return executable

  def _begin(self, segment: Segment) -> None:
    """Begins to compile the step of the segment after this one.

    It is traced here, under whatever settings of JAX hold in this thread.
    """
    schedule = self._run.schedule
    after = schedule[schedule.index(segment) + 1 :]
    if after and jax.default_backend() in BACKENDS:
      self._next = _Compilation(after[0], self._lower(after[0]), self._warn)
      self._next.start()

  def _lower(self, segment: Segment) -> jax.stages.Lowered:
    run = run_at(self._run, segment)
    return lower_step(run.config, run.networks, segment, run.mesh)

  def _name(self, segment: Segment) -> str:
    side = self._run.networks.resolutions[segment.level]
    return f'the step for {side}x{side}, batch {segment.batch_size}'

  def _warn(self, segment: Segment, error: Exception) -> None:
    self._telemetry.say(
      f'warning: {self._name(segment)} can not be compiled: {reason(error)}; '
      'it is tried once more when its turn comes, and the run ends there if '
      'that fails'
    )


class _Compilation(threading.Thread):
  """Of a segment's step; `executable` is None until it is there."""

  def __init__(
    self,
    segment: Segment,
    lowered: jax.stages.Lowered,
    warn: Callable[[Segment, Exception], None],
  ):
    super().__init__(name=ABANDONED, daemon=False)
    self.segment = segment
    self.executable: jax.stages.Compiled | None = None
    self.seconds = 0.0
    self._lowered = lowered
    self._warn = warn

  def run(self) -> None:
    """Compiles, in the thread."""
    began = time.monotonic()
    try:
      self.executable = compile_lowered(self._lowered)
    except Exception as error:  # whatever it is, the turn may never come
      self._warn(self.segment, error)
    self.seconds = time.monotonic() - began
