"""Where a run's levels of resolution begin, marked in pictures of curves."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from alae_jax.runs.series import Level

if TYPE_CHECKING:
  from matplotlib.axes import Axes

_GREY = '0.5'
_LETTER = 0.01  # of the axis's length, and so it is seldom too little


class Mark(NamedTuple):
  """A level, and the row in which its name stands, 0 on top."""

  level: Level
  row: int
  colour: str


def marks_of(
  runs: Sequence[tuple[Level, ...]], colours: Sequence[str], end: float
) -> list[Mark]:
  """In grey if all runs agree as far as they are, or in each run's colour.

  Args:
    runs: the levels of each.
    colours: of each.
    end: of the axis, in images seen.

  Returns:
    The marks. A name that would run into another stands in a row below it.
  """
  longest = max(runs, key=len)
  if all(levels == longest[: len(levels)] for levels in runs):
    return list(_place(longest, _GREY, 0, end))
  marks: list[Mark] = []
  for levels, colour in zip(runs, colours, strict=True):
    marks += _place(levels, colour, rows_of(marks), end)
  return marks


def _place(
  levels: Sequence[Level], colour: str, first_row: int, end: float
) -> Iterator[Mark]:
  taken: list[float] = []  # how far each row is, in images seen
  for level in levels:
    row = next(
      (i for i, until in enumerate(taken) if until <= level.images_seen),
      len(taken),
    )
    length = (len(_name(level)) + 1) * _LETTER * end
    taken[row : row + 1] = [level.images_seen + length]
    yield Mark(level, first_row + row, colour)


def rows_of(marks: Sequence[Mark]) -> int:
  """How many rows their names take."""
  return 1 + max((mark.row for mark in marks), default=-1)


def name_levels(strip: 'Axes', marks: Sequence[Mark]) -> None:
  """Writes names, each right of its line, into axes that are left empty."""
  strip.axis('off')
  rows = rows_of(marks)
  strip.set_ylim(max(rows, 1), 0)
  for level, row, colour in marks:
    x = level.images_seen
    strip.plot([x, x], [row, rows], color=colour, linewidth=0.6, clip_on=False)
    strip.annotate(
      _name(level),
      (x, row + 0.5),
      xytext=(2, 0),
      textcoords='offset points',
      verticalalignment='center',
      color=colour,
      bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 0.5},
    )


def draw_lines(panel: 'Axes', marks: Sequence[Mark]) -> None:
  """Thin vertical lines; the first level needs none."""
  for level, _, colour in marks:
    if level.images_seen:
      panel.axvline(level.images_seen, color=colour, linewidth=0.6, zorder=1)


def _name(level: Level) -> str:
  return f'{level.resolution}x{level.resolution}'
