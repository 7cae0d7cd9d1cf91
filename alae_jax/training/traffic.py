"""Which operations of a compiled step move the most bytes.

Read off the compiler's own text of the program. An operation that runs reads
its operands from memory and writes its result there; what the compiler keeps in
the chip's own scratch memory (`S(1)` in a layout) costs nothing. The compiler's
own count is larger: it has what is fetched ahead into that memory move twice or
more.
"""

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

_BITS = {
  'pred': 8, 's4': 4, 'u4': 4, 's8': 8, 'u8': 8, 's16': 16, 'u16': 16,
  'f16': 16, 'bf16': 16, 's32': 32, 'u32': 32, 'f32': 32, 's64': 64,
  'u64': 64, 'f64': 64, 'c64': 64,
}  # fmt: skip
_ARRAY = re.compile(r'([a-z]+\d*)\[([\d,]*)\](?:\{([^}]*)\})?')
_LINE = re.compile(
  r'\s+(?:ROOT )?%(?P<name>\S+) = (?P<type>\(.*?\)|\S+) (?P<operation>[a-z-]+)'
  r'\((?P<operands>[^)]*)\)(?P<rest>.*)'
)
_OP_NAME = re.compile(r'op_name="([^"]*)"')

# They name memory, or wait for what another operation moves.
_FREE = {
  *('parameter', 'constant', 'get-tuple-element', 'tuple', 'bitcast', 'while'),
  *('conditional', 'call', 'after-all', 'iota', 'partition-id', 'copy-done'),
  *('slice-done', 'all-reduce-done', 'all-gather-done', 'async-done'),
  'collective-permute-done',
}


@dataclasses.dataclass(frozen=True)
class Moved:
  """What the operations of one kind move in an iteration, on each chip.

  Attributes:
    operation: of the program: 'fusion', 'copy', 'convolution', ...
    source: the part of the step that it comes from, as JAX names it; of what
      the compiler moves by itself, that of what is moved.
    count: how many there are.
    traffic: bytes read and written by all of them.
  """

  operation: str
  source: str
  count: int
  traffic: int


def largest(program: str, count: int) -> list[Moved]:
  """The kinds of operations that move the most bytes, the largest first.

  Args:
    program: text of the executable, `jax.stages.Compiled.as_text()`.
    count: how many kinds to give at most.
  """
  traffic: Counter[tuple[str, str]] = Counter()
  times: dict[tuple[str, str], int] = defaultdict(int)
  for operation, source, size in _operations(program):
    traffic[operation, source] += size
    times[operation, source] += 1
  return [
    Moved(*kind, times[kind], size) for kind, size in traffic.most_common(count)
  ]


def _operations(program: str) -> Iterator[tuple[str, str, int]]:
  """Operation, source and bytes of each that runs once an iteration."""
  sizes: dict[str, int] = {}
  sources: dict[str, str] = {}
  for line in _entry(program):
    match = _LINE.match(line)
    if match is None:
      continue
    operands = re.findall(r'%([^\s,]+)', match['operands'])
    named = _OP_NAME.search(match['rest'])
    inherited = sources.get(operands[0], '') if operands else ''
    source = _shorten(named[1]) if named else inherited
    sizes[match['name']], sources[match['name']] = _bytes(match['type']), source
    if match['operation'] in _FREE:
      continue
    if match['operation'].endswith('-start'):
      size = _started(match['operation'], match['type'])
    else:
      size = sum(sizes.get(name, 0) for name in [match['name'], *operands])
    yield match['operation'], source, size


def _started(operation: str, type_: str) -> int:
  """Bytes of what goes on meanwhile, whose type names operand and result."""
  if operation != 'slice-start':
    return _bytes(type_)
  # Of the operand, only as much is read as the result holds.
  result = type_.split('), ', 1)[-1]
  return _bytes(re.sub(r'S\(1\)', '', result)) + _bytes(result)


def _entry(program: str) -> Iterator[str]:
  """The lines of what runs; the bodies of fusions come before it."""
  inside = False
  for line in program.splitlines():
    if line.startswith('ENTRY'):
      inside = True
    elif line.startswith('}'):
      inside = False
    elif inside:
      yield line


def _bytes(text: str) -> int:
  """Of a type such as 'bf16[8,4]{1,0:T(8,128)}' or of a tuple of them."""
  bits = 0
  for kind, shape, layout in _ARRAY.findall(text):
    if re.search(r'S\([12]\)', layout) or kind not in _BITS:
      continue
    number = 1
    for side in shape.split(','):
      number *= int(side or 1)
    bits += number * _BITS[kind]
  return bits // 8


def _shorten(op_name: str) -> str:
  """'jit(step)/transpose(jvp(encoder))/block_1/conv' without the first part."""
  return op_name.replace("\\'", "'").split('/', 1)[-1]
