"""What a compiled step costs a chip: memory, arithmetic and memory traffic.

The compiler counts them itself. An estimate of the time divides them by the
chip's published peaks: arithmetic and traffic overlap, so it is the longer of
the two. No chip reaches its peaks; on the other hand a part of what counts as
traffic never leaves the chip. `traffic.largest` tells it apart.
"""

import dataclasses

import jax

from alae_jax.errors import Failure
from alae_jax.training.chips import Chip


@dataclasses.dataclass(frozen=True)
class Cost:
  """Of one iteration, on each chip.

  Attributes:
    arguments: bytes of the state and the batch.
    temporary: bytes of what is kept meanwhile, at most.
    program: bytes of the program itself.
    flops: floating point operations.
    traffic: bytes read and written.
  """

  arguments: int
  temporary: int
  program: int
  flops: float
  traffic: float

  @property
  def memory(self) -> int:
    """Bytes that a chip must have; the result takes the place of the state."""
    return self.arguments + self.temporary + self.program


@dataclasses.dataclass(frozen=True)
class Estimate:
  """How fast an iteration is by the chip's peaks.

  Attributes:
    seconds: of an iteration.
    images_per_second: of all chips.
    share_of_peak: of the chip's arithmetic, in [0, 1].
    limit: 'arithmetic' or 'traffic', whichever takes longer.
  """

  seconds: float
  images_per_second: float
  share_of_peak: float
  limit: str


def cost_of(executable: jax.stages.Compiled, parts: int = 1) -> Cost:
  """What the compiler says of a step.

  Args:
    executable: of the step.
    parts: in how many it takes a batch. The compiler counts what it does with
      one of them: this is too much by what is not repeated, as Adam's work.

  Raises:
    Failure: it says nothing, as of a platform that JAX has by a plug-in.
  """
  memory = executable.memory_analysis()
  counts = executable.cost_analysis()
  if memory is None or counts is None:
    raise Failure(
      'the compiler of this platform does not say what a step takes'
    )
  fresh = memory.output_size_in_bytes - memory.alias_size_in_bytes
  return Cost(
    arguments=memory.argument_size_in_bytes,
    temporary=memory.temp_size_in_bytes + fresh,
    program=memory.generated_code_size_in_bytes,
    flops=parts * counts['flops'],
    traffic=parts * counts['bytes accessed'],
  )


def estimate(cost: Cost, chip: Chip, batch_size: int) -> Estimate:
  """The time of an iteration by the chip's peaks.

  Args:
    cost: on each chip.
    chip: of all the same kind.
    batch_size: of all chips together.
  """
  arithmetic, traffic = cost.flops / chip.flops, cost.traffic / chip.traffic
  seconds = max(arithmetic, traffic)
  return Estimate(
    seconds=seconds,
    images_per_second=batch_size / seconds,
    share_of_peak=arithmetic / seconds,
    limit='arithmetic' if arithmetic >= traffic else 'traffic',
  )
