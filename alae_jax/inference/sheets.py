"""Sheets: grids of images with names in the margins, for a person to read."""

import bisect
import dataclasses
import functools
import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from alae_jax.errors import printable
from alae_jax.inference import pictures
from alae_jax.inference.layout import Layout, lay_out

_INK = 240  # on the background's grey
_SMALLEST_TEXT = 11  # pixels; what is smaller is hard to read
_PADDING = 4  # between a row's name and its images
_NARROWEST = 128  # what a row's name may take, however small the images are


@dataclasses.dataclass(frozen=True)
class Sheet:
  """How images are laid out, and what is written beside them.

  A text that is too long loses its middle; each part may be left out.

  Attributes:
    columns: of images.
    together: neighbours that belong together, as 2 in pairs, see Layout.
    rows: the lines that stand to the left of each row.
    heads: above each column.
    captions: above each image, or each group of those that belong together.
  """

  columns: int
  together: int = 1
  rows: Sequence[Sequence[str]] = ()
  heads: Sequence[str] = ()
  captions: Sequence[str] = ()

  def layout(self, n: int, resolution: int) -> Layout:
    """Where n images lie, enlarged if they are small."""
    side = pictures.shown_side(resolution)
    font = _font(side)
    line = _line_height(font)
    return lay_out(
      n,
      self.columns,
      side,
      together=self.together,
      left=self._left_margin(font, side),
      top=line if self.heads else 0,
      caption=line if self.captions else 0,
    )

  def draw(self, images: np.ndarray) -> np.ndarray:
    """Square images uint8 [N, S, S, C] -> the sheet, uint8 [H, W, C]."""
    layout = self.layout(len(images), images.shape[1])
    picture = pictures.lay(pictures.enlarge(images), layout)
    pen = _Pen(picture, _font(layout.width))
    for column, text in enumerate(self.heads):
      _, x = layout.corner(0, column)
      pen.write(text, 0, x, layout.width)
    for row, lines in enumerate(self.rows if layout.left else ()):
      y, _ = layout.corner(row, 0)
      pen.write_block(lines, y + layout.height // 2, layout.left - _PADDING)
    for number, text in enumerate(self.captions):
      y, x = layout.place(number * self.together)
      pen.write(text, y - layout.caption, x, layout.width_of(self.together))
    return picture

  def _left_margin(self, font: ImageFont.FreeTypeFont, side: int) -> int:
    """As wide as the longest line of a row's name, up to a limit."""
    widths = [font.getlength(_plain(text)) for row in self.rows for text in row]
    longest = min(max(widths, default=0), max(side, _NARROWEST))
    return round(longest) + 2 * _PADDING if longest else 0


class _Pen:
  """Writes into boxes of a picture, and never beside them."""

  def __init__(self, picture: np.ndarray, font: ImageFont.FreeTypeFont):
    self._picture, self._font = picture, font
    self._height = _line_height(font)

  def write(
    self, text: str, y: int, x: int, width: int, right: bool = False
  ) -> None:
    """A line whose box begins at y and x: centred, or to the right."""
    box = Image.new('L', (width, self._height), pictures.BACKGROUND)
    ImageDraw.Draw(box).text(
      (width if right else width / 2, self._font.getmetrics()[0]),
      shorten(text, width, self._font),
      fill=_INK,
      font=self._font,
      anchor='rs' if right else 'ms',
    )
    self._picture[y : y + self._height, x : x + width] = np.asarray(box)[
      ..., None
    ]

  def write_block(self, lines: Sequence[str], middle: int, width: int) -> None:
    """Lines in the left margin, about a height."""
    first = middle - len(lines) * self._height // 2
    for i, text in enumerate(lines):
      self.write(text, first + i * self._height, 0, width, right=True)


def shorten(text: str, width: float, font: ImageFont.FreeTypeFont) -> str:
  """A text that fits into a width, with … for its middle if need be."""

  def keep(letters: int) -> str:
    end = letters // 2
    return f'{text[: letters - end]}…{text[len(text) - end :]}'

  text = _plain(text)
  if font.getlength(text) <= width:
    return text
  too_long = bisect.bisect_right(
    range(len(text)), width, key=lambda letters: font.getlength(keep(letters))
  )
  return keep(max(0, too_long - 1))


def _plain(text: str) -> str:
  """Without accents, which the font has none of; other letters are boxes."""
  letters = unicodedata.normalize('NFKD', printable(text))
  return ''.join(c for c in letters if not unicodedata.combining(c))


@functools.cache
def _font(side: int) -> ImageFont.FreeTypeFont:
  """Pillow's own font; it grows as the square root of an image's side."""
  size = max(_SMALLEST_TEXT, round(1.4 * side**0.5))
  return ImageFont.load_default(size)  # type: ignore[return-value]


def _line_height(font: ImageFont.FreeTypeFont) -> int:
  return sum(font.getmetrics()) + 2
