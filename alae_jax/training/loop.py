"""The training loop.

Its order is a contract: restore -> look at state i (metrics, pictures) ->
save state i -> next batch -> step. Everything a step does follows from the
seed and images_seen, so a run that was killed ends as if it had not been.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Generator, Iterator

import jax
import ml_collections
import numpy as np

from alae_jax import sharding, storage
from alae_jax.data.dataset import ArrayDataset, Dataset, in_memory
from alae_jax.data.pipeline import Batch, train_batches
from alae_jax.errors import Failure, Interrupted, reason
from alae_jax.inference import programs
from alae_jax.runs.folder import RunFolder, stored_config
from alae_jax.runs.optimizer import init_optimizer
from alae_jax.runs.schedule import Segment
from alae_jax.runs.state import TrainState
from alae_jax.training.advice import advise
from alae_jax.training.ahead import Ahead
from alae_jax.training.evaluation import Evaluations
from alae_jax.training.hooks import Watch
from alae_jax.training.opening import (
  Run,
  how_to_go_on,
  newest_checkpoint,
  open_run,
  own,
  restore_or_init,
  run_at,
  settle_config,
)
from alae_jax.training.peers import Peers
from alae_jax.training.preemption import Preemption
from alae_jax.training.reals import open_reals
from alae_jax.training.snapshots import Snapshots
from alae_jax.training.telemetry import (
  Telemetry,
  describe_machine,
  describe_parameters,
)


def train(
  config: ml_collections.ConfigDict,
  workdir: str,
  change: bool = False,
  owns_process: bool = False,
  peers: Peers | None = None,
) -> None:
  """Trains, or continues what the run folder holds, to the end.

  Args:
    config: locked, as experiments/ make it.
    workdir: the run folder, local or remote.
    change: whether a run that goes on may do so with other rates, batches and
      the like (`config.continuing.CHANGEABLE`), from its newest checkpoint on.
    owns_process: whether a second signal may end the process, see Preemption.
    peers: the job's other processes, which are to know at once what fails.

  Raises:
    UserError: the config, the data or the run folder can't be used, or
      another process trains there.
    FloatingPointError: a loss is not finite.
    Interrupted: a signal; everything is saved.
    LostFolder: another process has taken the folder over, or it was removed.
  """
  folder = RunFolder(storage.locate(workdir))
  stored = stored_config(folder)
  programs.keep()
  config = settle_config(config, folder, stored, change)
  with own(folder, stored) as owner:
    run = open_run(config, folder, owner)
    # Whatever ends a run, a save that is under way is finished first.
    told = contextlib.nullcontext() if peers is None else peers.told()
    with (
      tell_what_is_saved(folder),
      contextlib.closing(run.checkpoints),
      told,
    ):
      continues = run.checkpoints.latest() is not None
      state, images_seen, left = restore_or_init(run)
      with Telemetry(run.folder, run.schedule, images_seen) as telemetry:
        for line in left:
          telemetry.say(line)
        introduce(run, state, images_seen, continues, telemetry)
        announce = functools.partial(announce_signal, telemetry)
        with Preemption(announce, owns_process) as preemption:
          evaluations = Evaluations(run, telemetry, preemption.reached)
          state, images_seen = train_segments(
            run, state, images_seen, telemetry, preemption, evaluations
          )
          conclude(run, state, images_seen, telemetry, preemption, evaluations)


@contextlib.contextmanager
def tell_what_is_saved(folder: RunFolder) -> Iterator[None]:
  """Adds to what the system refuses, as on a full disk, how to go on."""
  try:
    yield
  except OSError as error:
    left = how_to_go_on(newest_checkpoint(folder))
    why = f'{error.strerror or reason(error)}; {left}'
    raise OSError(error.errno, why, error.filename) from error


def announce_signal(telemetry: Telemetry, signal_name: str) -> None:
  """Said at once, while a step or a compilation may have minutes to go."""
  telemetry.say(
    f'{signal_name}: stopping after what is under way, and saving; once more '
    'to leave at once'
  )


def introduce(
  run: Run,
  state: TrainState,
  images_seen: int,
  continues: bool,
  telemetry: Telemetry,
) -> None:
  """What a log begins with."""
  if images_seen >= run.images:
    return
  telemetry.say(describe_machine())
  telemetry.say(describe_parameters(state.params))
  for line in advise(
    run.config,
    run.networks.resolutions,
    run.schedule,
    open_reals(run.config, run.networks.resolutions[run.schedule[-1].level]),
  ):
    telemetry.say(f'warning: {line}')
  for change in run.config.history.changes:
    if change['images_seen'] == images_seen:
      telemetry.say(
        f'{change["field"]} is {change["now"]!r} from here on, '
        f'it was {change["was"]!r}'
      )
  if not continues and run.config.train.init_from:
    telemetry.say(f'starts with the weights of {run.config.train.init_from}')
  telemetry.say(
    f'continuing after {images_seen:,} of {run.images:,} images'
    if continues
    else f'training for {run.images:,} images'
  )


def train_segments(
  run: Run,
  state: TrainState,
  images_seen: int,
  telemetry: Telemetry,
  preemption: Preemption,
  evaluations: Evaluations,
) -> tuple[TrainState, int]:
  """Trains every level that is left, or until a preemption."""
  if not evaluations.catch_up(state, images_seen):
    return state, images_seen
  ahead = Ahead(run, telemetry)
  for segment in run.schedule:
    if images_seen < segment.end and not preemption.signal_name:
      state, images_seen = train_segment(
        run,
        segment,
        state,
        images_seen,
        ahead,
        telemetry,
        preemption,
        evaluations,
      )
  run.checkpoints.wait()
  return state, images_seen


def train_segment(
  run: Run,
  segment: Segment,
  state: TrainState,
  images_seen: int,
  ahead: Ahead,
  telemetry: Telemetry,
  preemption: Preemption,
  evaluations: Evaluations,
) -> tuple[TrainState, int]:
  """Trains one segment from images_seen to its end, or to a preemption."""
  run = run_at(run, segment)
  reals = open_reals(run.config, run.networks.resolutions[segment.level])
  snapshots = Snapshots(run.folder, reals.shown, run.config.train.seed)
  watch = Watch(
    run.config,
    run.networks,
    segment,
    run.checkpoints,
    snapshots,
    telemetry,
    evaluations,
    run.check_owner,
  )
  if images_seen == segment.began:
    state = reset_optimizer(run, state)
  if images_seen == 0:
    watch.draw(state, images_seen)
  step = ahead.compile(segment)
  dataset = in_memory(reals.train)
  # From memory, batches come as fast as this process can make any.
  can_be_faster = not isinstance(dataset, ArrayDataset)
  stream = device_batches(run, segment, dataset, images_seen)
  with contextlib.closing(stream) as batches:
    batch = next(batches)
    telemetry.restart_clock()
    while True:
      blend = everywhere(np.float32(segment.blend(images_seen)), run.mesh)
      with jax.transfer_guard('disallow'):  # nothing else travels unasked
        state, metrics = step(state, batch, blend)
      images_seen += segment.batch_size
      stop = preemption.reached()
      stop = watch.after_step(state, metrics, images_seen, stop)
      if stop or images_seen >= segment.end:
        return state, images_seen
      with telemetry.waiting(can_be_faster):
        batch = next(batches)


def everywhere(number: np.float32, mesh: jax.sharding.Mesh) -> jax.Array:
  """A number on every device, which every process knows by itself.

  `jax.device_put` would have the processes compare theirs, at every step.
  """
  return jax.make_array_from_callback(
    (), sharding.replicated(mesh), lambda _: number
  )


def reset_optimizer(run: Run, state: TrainState) -> TrainState:
  """A level begins with fresh moments (paper section 5.2)."""
  fresh = jax.jit(init_optimizer, out_shardings=run.places.opt_state)
  return dataclasses.replace(state, opt_state=fresh(state.params))


def device_batches(
  run: Run, segment: Segment, dataset: Dataset, images_seen: int
) -> Generator[jax.Array, None, None]:
  """uint8 batches on the devices, from where images_seen left off."""
  over_devices = sharding.over_batch(run.mesh)
  data = run.config.data
  batches = train_batches(
    dataset,
    seed=run.config.train.seed,
    batch_size=segment.batch_size,
    start=images_seen - segment.began,
    process_index=jax.process_index(),
    process_count=jax.process_count(),
    num_threads=data.threads or None,
    num_workers=data.workers,
  )
  with contextlib.closing(batches):
    for batch in telling_of_workers(batches):
      yield jax.make_array_from_process_local_data(over_devices, batch['image'])


def telling_of_workers(batches: Iterator[Batch]) -> Iterator[Batch]:
  """The batches; a failure if a process that decodes was killed.

  Raises:
    Failure: in the stead of Grain's RuntimeError.
  """
  try:
    yield from batches
  except RuntimeError as error:
    if 'terminated' not in str(error):
      raise
    raise Failure(
      'a process that decodes was killed, perhaps for want of memory: the same '
      'command goes on; fewer data.workers take less'
    ) from None


def conclude(
  run: Run,
  state: TrainState,
  images_seen: int,
  telemetry: Telemetry,
  preemption: Preemption,
  evaluations: Evaluations,
) -> None:
  """Says how to go on, or evaluates a trained model."""
  if images_seen < run.images:
    stopped = (
      f'stopped by {preemption.signal_name} after {images_seen:,} images, '
      'which are saved: the same command goes on from there'
    )
    telemetry.say(stopped)
    raise Interrupted(stopped, preemption.status)
  if not evaluations.at_end(state):
    stopped = (
      f'stopped by {preemption.signal_name} while it was evaluated: the same '
      'command goes on with that'
    )
    telemetry.say(stopped)
    raise Interrupted(stopped, preemption.status)
  telemetry.say(
    f'{run.folder.path} is finished: it has seen '
    f'{run.images:,} images; raise config.train.images to train longer'
  )
