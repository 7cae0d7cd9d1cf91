"""What happens to a state between steps: it is measured, drawn and saved."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from alae_jax.inference.loading import default_weights, model_of
from alae_jax.models.networks import Networks
from alae_jax.runs.checkpoint import Checkpoints
from alae_jax.runs.schedule import Segment
from alae_jax.runs.state import TrainState
from alae_jax.training.evaluation import Evaluations
from alae_jax.training.snapshots import Snapshots
from alae_jax.training.telemetry import Telemetry


class Watch:
  """Looks at one segment's states every so many images, as config.log says.

  And at its last one: compiling the next segment's step can take minutes, in
  which nothing should be lost.
  """

  def __init__(
    self,
    config: ml_collections.ConfigDict,
    networks: Networks,
    segment: Segment,
    checkpoints: Checkpoints,
    snapshots: Snapshots,
    telemetry: Telemetry,
    evaluations: Evaluations,
    check_owner: Callable[[], None],
  ):
    self._config = config
    self._networks = networks
    self._segment = segment
    self._checkpoints = checkpoints
    self._snapshots = snapshots
    self._telemetry = telemetry
    self._evaluations = evaluations
    self._check_owner = check_owner
    self._pending: list[tuple[int, dict[str, jax.Array]]] = []

  def after_step(
    self,
    state: TrainState,
    metrics: dict[str, jax.Array],
    images_seen: int,
    stop: bool,
  ) -> bool:
    """Does what is due after a step.

    Args:
      state: after the step.
      metrics: of the step.
      images_seen: after the step.
      stop: whether it is the last step before the process leaves.

    Returns:
      Whether the process is to leave: `stop`, or someone said so since.

    Raises:
      FloatingPointError: a number is not finite; nothing is saved.
      LostFolder: another process trains here; nothing is written.
    """
    self._pending.append((images_seen, metrics))
    if len(self._pending) > 2:  # let the host run ahead by two steps only
      jax.block_until_ready(self._pending[-3][1])
    self._telemetry.advance(
      images_seen, self._networks.resolutions[self._segment.level]
    )
    log = self._config.log
    if self._due(log.metrics_images, images_seen) or stop:
      self._check_owner()
      self._write_metrics(images_seen)
    if self._due(log.pictures_images, images_seen):
      self.draw(state, images_seen)
    evaluated = self._evaluations.due(self._segment, images_seen)
    if self._due(log.checkpoint_images, images_seen) or evaluated or stop:
      self.save(state, images_seen)
    if evaluated and not stop:
      self._check_owner()
      return not self._evaluations.during(state, images_seen)
    return stop

  def draw(self, state: TrainState, images_seen: int) -> None:
    """Writes pictures of the networks that evaluation uses."""
    # In every process: the weights may be spread over all of them.
    model = model_of(
      self._config,
      self._networks,
      state,
      images_seen,
      default_weights(self._config),
    )
    if jax.process_index() != 0:
      return
    self._check_owner()
    for name, picture in self._snapshots.write(model, images_seen).items():
      self._telemetry.show(name, picture, images_seen)
    self._telemetry.restart_clock()

  def save(self, state: TrainState, images_seen: int) -> None:
    """Saves a state that is finite."""
    self._check_owner()
    self._check_pending()
    if not jax.device_get(_all_finite(state)):
      raise FloatingPointError(
        f'the parameters are not finite after {images_seen:,} images'
        + self._advice()
      )
    self._checkpoints.save(state, images_seen)

  def _advice(self) -> str:
    """How to go on when a number is not finite."""
    rate = self._segment.learning_rate / 2
    field = f'a lower rate, such as --config.train.learning_rate={rate:g}'
    good = self._checkpoints.latest()
    if good is None:
      return f'; nothing is saved yet, so start again with {field}'
    return (
      f'; the checkpoint after {good:,} images is good: go on from it with '
      f'--change and {field}'
    )

  def _due(self, every: int, images_seen: int) -> bool:
    return self._segment.passes(every, images_seen)

  def _write_metrics(self, images_seen: int) -> None:
    """The mean of every scalar since the last time."""
    values = self._check_pending()
    self._pending.clear()
    segment = self._segment
    means = {
      name: float(np.mean([step[name] for step in values]))
      for name in values[0]
    }
    self._telemetry.write(
      images_seen,
      {
        **means,
        'resolution': self._networks.resolutions[segment.level],
        'blend': segment.blend(images_seen),
      },
    )

  def _check_pending(self) -> list[dict[str, np.ndarray]]:
    """Fetches the metrics since the last time; every one must be finite."""
    values = [jax.device_get(metrics) for _, metrics in self._pending]
    for (images_seen, _), step in zip(self._pending, values, strict=True):
      for name, value in step.items():
        if not np.isfinite(value):
          raise FloatingPointError(
            f'{name} is {value} after {images_seen:,} images' + self._advice()
          )
    return values


@jax.jit
def _all_finite(tree) -> jax.Array:
  leaves = [
    leaf
    for leaf in jax.tree.leaves(tree)
    if jnp.issubdtype(leaf.dtype, jnp.floating)
  ]
  return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))
