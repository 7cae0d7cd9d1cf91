"""Metrics of a run while it trains and at its end, and which state is best.

All processes compute, each on its own devices, and the first one records.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from alae_jax import sharding
from alae_jax.errors import UserError
from alae_jax.inference.loading import default_weights, model_of
from alae_jax.inference.model import Model
from alae_jax.metrics import evaluate as evaluate_lib
from alae_jax.metrics import names as names_lib
from alae_jax.metrics import reports
from alae_jax.metrics.base import Metric, Result
from alae_jax.metrics.crew import Crew, Stopped
from alae_jax.runs import best as best_lib
from alae_jax.runs import records
from alae_jax.runs.schedule import Segment, segment_at
from alae_jax.runs.state import TrainState
from alae_jax.training import criteria
from alae_jax.training.opening import Run
from alae_jax.training.reals import Reals, open_reals
from alae_jax.training.telemetry import Telemetry

_MOST = 0.5  # of the time, and nothing is said


class Evaluations:
  """The metrics of one run, computed when they are due.

  Use `during` after the steps at which they are, and `at_end` when training is
  over.
  """

  def __init__(self, run: Run, telemetry: Telemetry, stops: Callable[[], bool]):
    """Finds out which checkpoint is best so far, and has it kept.

    Args:
      run: the records of whose steps to come are dropped.
      telemetry: of the run.
      stops: whether to leave; all processes ask equally often, and get the same
        answer.
    """
    self._run, self._telemetry, self._stops = run, telemetry, stops
    self._settings = criteria.settings_of(run.config)
    self._ended = time.monotonic()
    self._left_out: set[tuple[int, str]] = set()
    self._keep_best()

  def due(self, segment: Segment, images_seen: int) -> bool:
    """Whether metrics are, after a step of a segment."""
    every = self._run.config.evaluation.every_images
    return bool(every) and segment.passes(every, images_seen)

  def catch_up(self, state: TrainState, images_seen: int) -> bool:
    """Computes what was due when the process was stopped.

    Returns:
      Whether it is there; else the process is to leave.
    """
    if not images_seen:
      return True
    segment = segment_at(self._run.schedule, images_seen - 1)
    if not self.due(segment, images_seen):
      return True
    names = self._run.config.evaluation.metrics
    return self._compute(state, images_seen, names, among_steps=False)

  def during(self, state: TrainState, images_seen: int) -> bool:
    """Computes the metrics that are due and lacking at a state that is saved.

    Returns:
      Whether they are there; else the process is to leave.
    """
    names = self._run.config.evaluation.metrics
    return self._compute(state, images_seen, names, among_steps=True)

  def at_end(self, state: TrainState) -> bool:
    """The same, when training is over, and what a signal has left out."""
    evaluation = self._run.config.evaluation
    names = list(dict.fromkeys((*evaluation.metrics, *evaluation.at_end)))
    return self._compute(state, self._run.images, names, among_steps=False)

  def _compute(
    self,
    state: TrainState,
    images_seen: int,
    names: Sequence[str],
    among_steps: bool,
  ) -> bool:
    lacking = self._lacking(names, images_seen)
    if not lacking:
      return True
    config = self._run.config
    weights = default_weights(config)
    model = model_of(config, self._run.networks, state, images_seen, weights)
    reals = open_reals(config, model.resolution)
    lacking = self._fitting(lacking, reals)
    if not lacking:
      return True
    began = time.monotonic()
    self._telemetry.say(f'evaluating: {", ".join(lacking)}')
    try:
      for result in evaluate_lib.evaluate(
        model, lacking, self._settings, *reals.pair, self._crew(model)
      ):
        self._take(result, images_seen, model)
    except Stopped:
      return False
    self._tell_how_long(began, among_steps)
    self._telemetry.restart_clock()
    return True

  def _crew(self, model: Model) -> Crew:
    return Crew(
      model.mesh, jax.process_index(), jax.process_count(), self._stops
    )

  def _lacking(self, names: Sequence[str], images_seen: int) -> list[str]:
    """Those that the records lack; the first process's word goes for all."""
    if not names:
      return []
    words = {
      'weights': default_weights(self._run.config),
      'protocol': self._settings.protocol,
    }
    own = [
      record
      for record in records.read(self._run.folder.metrics)
      # Runs of before have only numbers such as probe/1nn_w.
      if (record.get(best_lib.WHILE_TRAINING) or 'metric' not in record)
      and record['images_seen'] == images_seen
      and all(
        record.get(field, wanted) == wanted for field, wanted in words.items()
      )
    ]
    lacks = [
      not any(self._is_of(metric, record) for record in own)
      for metric in names_lib.find_all(names)
    ]
    of_all = sharding.gather(np.array(lacks))
    return [
      name for name, lacking in zip(names, of_all[0], strict=True) if lacking
    ]

  def _is_of(self, metric: Metric, record: dict[str, Any]) -> bool:
    """Whether a record is of a metric, by the same features."""
    return record.get('metric', metric.name) == metric.name and any(
      number.startswith(wanted) if wanted.endswith('/') else number == wanted
      for wanted in metric.numbers(self._settings)
      for number in record
    )

  def _fitting(self, names: Sequence[str], reals: Reals) -> list[str]:
    """Those that can be computed at a level, where images may be too small."""
    fitting = []
    for name in names:
      try:
        evaluate_lib.check([name], *reals.pair, self._settings)
        fitting.append(name)
      except UserError as error:
        if (reals.train.resolution, name) not in self._left_out:
          self._telemetry.say(f'left out at this level: {error}')
        self._left_out.add((reals.train.resolution, name))
    return fitting

  def _take(self, result: Result, images_seen: int, model: Model) -> None:
    """Records a result, and has its checkpoint kept if it is the best."""
    scalars, words = evaluate_lib.record_of(result, self._settings, model)
    words[best_lib.WHILE_TRAINING] = True
    self._run.check_owner()  # computing may have taken hours
    self._telemetry.record(images_seen, scalars, **words)
    for line in reports.lines([result]):
      self._telemetry.say(line)
    number = self._run.config.evaluation.keep_best
    if number in scalars:
      best = self._keep_best()
      if best == images_seen:
        self._telemetry.say(f'the best {number} so far, which is kept')

  def _keep_best(self) -> int | None:
    """Has that checkpoint kept which the records say is best.

    So it is the one that users are given as the best, also where the numbers of
    before were computed otherwise and compare no longer.

    Returns:
      Its images seen; the first process's word goes for all.
    """
    number = self._run.config.evaluation.keep_best
    if not number:
      return None
    found = best_lib.find(
      records.read(self._run.folder.metrics),
      number,
      self._run.checkpoints.all(),
    )
    told = np.array(found.images_seen if found else -1)
    images_seen = int(sharding.gather(told)[0])
    best = None if images_seen < 0 else images_seen
    self._run.checkpoints.keep(best)
    return best

  def _tell_how_long(self, began: float, among_steps: bool) -> None:
    """Says it, and warns where most of the time goes into evaluating."""
    now = time.monotonic()
    took, since = now - began, now - self._ended
    self._ended = now
    line = f'evaluated in {took:.1f} s'
    if among_steps:
      line += f', {took / since:.0%} of the time'
    if among_steps and took > _MOST * since:
      line = (
        f'warning: {line}: raise --config.evaluation.every_images, or choose '
        'metrics of fewer images'
      )
    self._telemetry.say(line)
