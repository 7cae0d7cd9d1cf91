"""What a compiled program moves is read off its text as it stands there."""

import jax
import jax.numpy as jnp
import pytest

from alae_jax.training import traffic

PROGRAM = """\
HloModule jit_step, is_scheduled=true

%fused (p: f32[8,4]) -> f32[8,4] {
  %p = f32[8,4]{1,0} parameter(0)
  ROOT %inner = f32[8,4]{1,0} negate(%p)
}

ENTRY %main (x: f32[8,4], y: bf16[4]) -> (f32[8,4], f32[]) {
  %x = f32[8,4]{1,0:T(8,128)} parameter(0), metadata={op_name="x"}
  %y = bf16[4]{0:T(256)} parameter(1)
  %near = f32[8,4]{1,0:T(8,128)S(1)} copy(%x), metadata={op_name="jit(step)/a"}
  %f.1 = f32[8,4]{1,0:T(8,128)} fusion(%near), MEANT
  %f.2 = (f32[8,4]{1,0:T(8)}, f32[]{:T(128)}) fusion(%f.1, %y), MEANT
  %part = f32[8,4]{1,0:T(8,128)} get-tuple-element(%f.2), index=0
  ROOT %out = (f32[8,4]{1,0:T(8,128)}) tuple(%part)
}
""".replace('MEANT', 'metadata={op_name="jit(step)/neg"}')


def test_bytes_are_those_of_operands_and_results():
  # 8x4 float32 are 128 bytes, 4 bfloat16 are 8, and what is near costs nothing.
  assert traffic.largest(PROGRAM, 5) == [
    traffic.Moved('fusion', 'neg', 2, 128 + (128 + 8 + 128 + 4)),
    traffic.Moved('copy', 'a', 1, 128),
  ]
  assert len(traffic.largest(PROGRAM, 1)) == 1


AHEAD = """\
ENTRY %main (w: f32[8,4]) -> f32[8,4] {
  %w = f32[8,4]{1,0} parameter(0), metadata={op_name="params[\\'kernel\\']"}
  %s = ((f32[8,4]{1,0}), f32[2,4]{1,0S(1)}, s32[]{:S(2)}) slice-start(%w), slice
  %s.1 = f32[2,4]{1,0S(1)} slice-done(%s)
  %c = (f32[2,4]{1,0}, f32[2,4]{1,0S(1)}, u32[]{:S(2)}) copy-start(%s.1)
  %c.1 = f32[2,4]{1,0} copy-done(%c)
}
"""


def test_what_is_fetched_ahead_is_counted_once_and_named():
  # A quarter of 128 bytes goes to the near memory, and back to the far one.
  assert traffic.largest(AHEAD, 5) == [
    traffic.Moved('slice-start', "params['kernel']", 1, 32),
    traffic.Moved('copy-start', "params['kernel']", 1, 32),
  ]


@pytest.mark.parametrize(
  ('text', 'size'),
  [
    ('f32[]', 4),
    ('bf16[8,4]{1,0:T(8,128)(2,1)}', 64),
    ('s4[8]{0}', 4),
    ('pred[3]{0}', 3),
    ('(f32[2]{0}, /*index=1*/u8[5]{0})', 13),
    ('token[]', 0),
    ('f32[0,7]{1,0}', 0),
  ],
)
def test_types_have_sizes(text, size):
  assert traffic._bytes(text) == size


def test_it_is_what_the_compiler_counts():
  def step(x, kernel):
    return jnp.tanh(x @ kernel) @ kernel

  x, kernel = jnp.ones((64, 256)), jnp.ones((256, 256))
  executable = jax.jit(step).lower(x, kernel).compile()
  moved = traffic.largest(executable.as_text(), 100)
  counted = executable.cost_analysis()['bytes accessed']
  assert sum(each.traffic for each in moved) == pytest.approx(counted, rel=0.1)
