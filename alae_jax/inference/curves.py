"""Pictures of curves: panels above one another, over images seen."""

import io
import itertools
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from alae_jax.errors import printable
from alae_jax.inference import level_marks
from alae_jax.runs import series as series_lib
from alae_jax.runs.series import SPEED, Curves, Series

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.figure import Figure
  from matplotlib.lines import Line2D

_WIDTH = 10.0  # inches, and so below
_PANEL = 1.6
_ROW = 0.16  # of a legend, or of levels' names
_BETWEEN = 0.6  # all that is above and below the panels beside these
_LETTER = 0.08
_DOTS_PER_INCH = 120

_MOST_POINTS = 600  # more would not be seen, and make a large SVG
_FEW_POINTS = 60  # that are marked
_LONGEST_NAME = 60

_DASHES = ('-', '--', ':', '-.')
_MARKERS = ('o', 's', '^', 'D', 'v', 'x')
_FROM_ZERO = (SPEED, 'data_wait')

_LOOK: Any = {
  'font.size': 8.0,
  'axes.titlesize': 9.0,
  'axes.titlelocation': 'left',
  'axes.spines.top': False,
  'axes.spines.right': False,
  'axes.grid': True,
  'axes.grid.axis': 'y',
  'axes.axisbelow': True,
  'grid.color': '0.92',
  'legend.frameon': False,
  'lines.linewidth': 1.2,
  'lines.markersize': 4.0,
  'svg.fonttype': 'none',  # text that can be found and copied
  'svg.hashsalt': 'alae_jax',  # the same curves, the same file
  'text.parse_math': False,  # a $ in a name is a $
}


class _Line(NamedTuple):
  """A curve in a panel.

  Attributes:
    run: its number.
    label: what sets it apart from others of the same run; '' if nothing does.
    series: the numbers.
  """

  run: int
  label: str
  series: Series


def draw(runs: Mapping[str, Curves], ending: str) -> bytes:
  """Draws the curves of runs over one another.

  Of one run, numbers of one kind share a panel and differ in colour. Of several
  runs each number has a panel, and runs differ in colour.

  Args:
    runs: by name, each with a series or more.
    ending: of the file's name, 'png' or 'svg'.

  Returns:
    The file.
  """
  import matplotlib
  from matplotlib.backends.backend_agg import FigureCanvasAgg

  # It tells of its caches and of fonts, which nobody asked about.
  logging.getLogger('matplotlib').setLevel(logging.ERROR)
  with matplotlib.rc_context(), warnings.catch_warnings():
    warnings.filterwarnings('ignore', 'Glyph .* missing from')
    matplotlib.rcdefaults()  # not what this user's other pictures look like
    matplotlib.rcParams.update(_LOOK)
    figure = _figure(runs)
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    undated = {'Date': None} if ending == 'svg' else {}
    figure.savefig(file, format=ending, dpi=_DOTS_PER_INCH, metadata=undated)
  return file.getvalue()


def _figure(runs: Mapping[str, Curves]) -> 'Figure':
  from matplotlib.figure import Figure

  curves = list(runs.values())
  colours = _colours(len(runs))
  panels = _panels(curves)
  end = max(series.images_seen[-1] for run in curves for series in run.series)
  marks = level_marks.marks_of([run.levels for run in curves], colours, end)
  heights = [_ROW * level_marks.rows_of(marks) or 0.01]
  heights += [_PANEL] * len(panels)
  height = sum(heights) + _BETWEEN + _ROW * _legend_rows(runs)
  figure = Figure(figsize=(_WIDTH, height), layout='constrained')
  strip, *axes = figure.subplots(
    len(heights), sharex=True, height_ratios=heights
  )
  level_marks.name_levels(strip, marks)
  for panel, (title, names) in zip(axes, panels.items(), strict=True):
    lines = list(_lines(title, names, curves))
    _draw_lines(panel, lines, colours)
    _scale(panel, printable(title, _LONGEST_NAME), lines)
    level_marks.draw_lines(panel, marks)
  _count_images(axes[-1], end)
  _name_runs(figure, runs, colours)
  return figure


def _panels(runs: Sequence[Curves]) -> dict[str, list[str]]:
  """The names of the numbers in each panel, by its title."""
  names = dict.fromkeys(name for run in runs for name in run.names())
  if len(runs) > 1:
    return {name: [name] for name in names}
  return series_lib.grouped(names)


def _lines(
  title: str, names: Sequence[str], runs: Sequence[Curves]
) -> Iterator[_Line]:
  """The curves of a panel, labelled by what they differ in."""
  found = [
    (number, series)
    for number, curves in enumerate(runs)
    for series in curves.series
    if series.name in names
  ]
  settings = [series.setting or {} for _, series in found]
  differing = [
    field
    for field in dict.fromkeys(itertools.chain(*settings))
    if len({setting.get(field) for setting in settings}) > 1
  ]
  for (number, series), setting in zip(found, settings, strict=True):
    parts = [f'{setting[it]} {it}' for it in differing if it in setting]
    if len(names) > 1:
      parts.insert(0, series.name.removeprefix(title).lstrip('_/'))
    yield _Line(number, ', '.join(parts), series)


def _draw_lines(
  axes: 'Axes', lines: Sequence[_Line], colours: Sequence[str]
) -> None:
  """Runs differ in colour, and labels in dashes; of one run, in colour."""
  labels = list(dict.fromkeys(line.label for line in lines))
  of_labels = _colours(len(labels))
  drawn: dict[str, Line2D] = {}
  for run, label, series in lines:
    number = labels.index(label)
    one = len(colours) == 1
    drawn[label] = _draw_line(
      axes,
      series,
      color=of_labels[number] if one else colours[run],
      linestyle='-' if one else _DASHES[number % len(_DASHES)],
      marker=_MARKERS[number % len(_MARKERS)],
    )
  if len(labels) > 1:
    legend = axes.legend(
      [drawn[label] for label in labels],
      [printable(label or 'otherwise', _LONGEST_NAME) for label in labels],
      loc='upper left',
      bbox_to_anchor=(1.0, 1.0),
      borderaxespad=0,
    )
    for handle in legend.get_lines() if len(colours) > 1 else ():
      handle.set_color('0.2')


def _draw_line(
  axes: 'Axes', series: Series, marker: str, **look: Any
) -> 'Line2D':
  """Means, with the range around them where there are too many points."""
  curve = series_lib.thin(series, _MOST_POINTS)
  if len(curve.means) < len(series.values):
    axes.fill_between(
      curve.images_seen,
      curve.lowest,
      curve.highest,
      color=look['color'],
      alpha=0.2,
      linewidth=0,
    )
  most_marked = _FEW_POINTS if series.setting is not None else 1
  if len(series.values) > most_marked:
    marker = ''
  (line,) = axes.plot(curve.images_seen, curve.means, marker=marker, **look)
  return line


def _scale(axes: 'Axes', title: str, lines: Sequence[_Line]) -> None:
  """Linear; speed begins at 0, and what is far off the rest is cut off."""
  from matplotlib.ticker import FuncFormatter, MaxNLocator

  axes.yaxis.set_major_locator(MaxNLocator(5))
  axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f'{y:,.6g}'))
  axes.tick_params(axis='x', length=2)
  values = np.concatenate([line.series.values for line in lines])
  low, high = series_lib.usual_range(values)
  if low > values.min() or high < values.max():
    title += f' (cut off: {values.min():,.4g} to {values.max():,.4g})'
    margin = 0.05 * (high - low)
    axes.set_ylim(low - margin, high + margin)
  if any(line.series.name in _FROM_ZERO for line in lines):
    axes.set_ylim(bottom=0)
  axes.set_title(title)


def _count_images(axes: 'Axes', end: float) -> None:
  """The axis that all panels share."""
  from matplotlib.ticker import EngFormatter

  axes.set_xlim(0, 1.01 * max(end, 1))
  axes.xaxis.set_major_formatter(EngFormatter(sep=''))
  axes.set_xlabel('images seen')


def _name_runs(
  figure: 'Figure', runs: Iterable[str], colours: Sequence[str]
) -> None:
  """A legend of colours; a single run needs its name alone."""
  from matplotlib.lines import Line2D

  figure.legend(
    [Line2D([], [], color=colour, linewidth=2) for colour in colours],
    [printable(name, _LONGEST_NAME) for name in runs],
    loc='outside upper left',
    ncols=_legend_columns(runs),
    fontsize=9,
    handlelength=1.5 if len(colours) > 1 else 0,
  )


def _legend_columns(runs: Iterable[str]) -> int:
  widest = max(len(printable(name, _LONGEST_NAME)) for name in runs)
  return max(1, int(_WIDTH / ((widest + 6) * _LETTER)))


def _legend_rows(runs: Mapping[str, Curves]) -> int:
  return -(-len(runs) // _legend_columns(runs))


def _colours(count: int) -> list[str]:
  """Ten are easily told apart; of more, neighbours are alike."""
  from matplotlib import colormaps, colors

  if count <= 10:
    return [colors.to_hex(colormaps['tab10'](i)) for i in range(count)]
  map_ = colormaps['turbo']
  return [colors.to_hex(map_(i / (count - 1))) for i in range(count)]
