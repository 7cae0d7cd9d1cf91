"""What every method of training is made of: phases, run one after another."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import flax.struct
import jax

from alae_jax.models.networks import Networks, Params, Stage


def _as_it_is(tree: Any) -> Any:
  return tree


@flax.struct.dataclass
class Batch:
  """What a phase learns from.

  Attributes:
    reals: real images [N, H, W, C] in [-1, 1], as the stage sees them.
    share: lays arrays [N, ...] over the devices as the reals are. Latents
      drawn inside a jitted step would otherwise be replicated, and what
      follows from them be computed whole on every device.
  """

  reals: jax.Array
  share: Callable[[Any], Any] = flax.struct.field(
    pytree_node=False, default=_as_it_is
  )

  @property
  def size(self) -> int:
    """N."""
    return self.reals.shape[0]


class Aux(NamedTuple):
  """What a phase has to show besides its loss.

  Attributes:
    scalars: by the name that the records have for them.
    w: F(z) [N, w_dim] of the phase's latents, if it drew any: the running
      mean of w, to which truncation draws, follows it.
  """

  scalars: dict[str, jax.Array]
  w: jax.Array | None = None


# (batch, key) -> all that is random in a phase: arrays of a row for each real
# image, or scalars
Draw = Callable[[Batch, jax.Array], Any]
# (params of all networks, batch, what was drawn) -> (value to minimise, aux)
Loss = Callable[[Params, Batch, Any], tuple[jax.Array, Aux]]


@dataclasses.dataclass(frozen=True)
class Phase:
  """One update of some of the networks.

  Attributes:
    name: of the phase.
    trains: names of the networks that it updates; the others stay.
    draw: what is random in it, once for the whole batch.
    loss: what they minimise, a mean over the rows of a batch or of a part.
  """

  name: str
  trains: tuple[str, ...]
  draw: Draw
  loss: Loss


class Method(Protocol):
  """How the networks are trained; ALAE is one, `alae.Alae`."""

  def phases(self, networks: Networks, stage: Stage) -> tuple[Phase, ...]:
    """The updates of one iteration, in order."""
