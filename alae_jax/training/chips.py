"""What accelerators can do at most, as their makers publish it.

TPUs: https://docs.cloud.google.com/tpu/docs, a page a generation. GPUs: the
dense rate, without sparsity, of NVIDIA's data sheets.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Chip:
  """The published peaks of a device.

  Attributes:
    name: short.
    flops: floating point operations a second, bfloat16 with float32 sums.
    traffic: bytes a second between the chip and its memory.
    memory: bytes of that memory.
  """

  name: str
  flops: float
  traffic: float
  memory: float


_GIB = 2.0**30

# By what JAX calls the device. XLA keeps a part of the memory for itself.
_CHIPS = {
  'TPU v4': Chip('v4', 275e12, 1.228e12, 32 * _GIB),
  'TPU v5 lite': Chip('v5e', 197e12, 0.819e12, 16 * _GIB),
  'TPU v5': Chip('v5p', 459e12, 2.765e12, 95 * _GIB),
  'TPU v6 lite': Chip('v6e', 918e12, 1.64e12, 32 * _GIB),
  'Tesla T4': Chip('T4', 65e12, 0.32e12, 16 * _GIB),
  'Tesla V100-SXM2-16GB': Chip('V100', 125e12, 0.9e12, 16 * _GIB),
  'NVIDIA L4': Chip('L4', 121e12, 0.3e12, 24 * _GIB),
  'NVIDIA A100-SXM4-40GB': Chip('A100', 312e12, 1.555e12, 40 * _GIB),
  'NVIDIA A100-SXM4-80GB': Chip('A100', 312e12, 2.039e12, 80 * _GIB),
  'NVIDIA H100 80GB HBM3': Chip('H100', 989e12, 3.35e12, 80 * _GIB),
  'NVIDIA H200': Chip('H200', 989e12, 4.8e12, 141 * 1e9),
}


def find(device_kind: str) -> Chip | None:
  """The chip that JAX calls so, `jax.Device.device_kind`; None if unknown."""
  return _CHIPS.get(device_kind)
