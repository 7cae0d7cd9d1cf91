"""Where the images of a sheet lie: numbers alone, no pixels."""

import dataclasses

LINE = 2  # pixels between images


@dataclasses.dataclass(frozen=True)
class Layout:
  """Images of one size in rows, with margins for labels; all in pixels.

  Attributes:
    rows: of images.
    columns: of images.
    height: of an image.
    width: of an image.
    together: neighbours in a row that belong together, as 2 in pairs; the gap
      after each such group is wider.
    left: margin for the names of rows.
    top: margin for the names of columns.
    caption: height of the strip above each row of images.
  """

  rows: int
  columns: int
  height: int
  width: int
  together: int = 1
  left: int = 0
  top: int = 0
  caption: int = 0

  @property
  def gap(self) -> int:
    """What is wider between groups than within."""
    return max(8, self.width // 8) if self.together > 1 else 0

  @property
  def shape(self) -> tuple[int, int]:
    """Height and width of the whole sheet."""
    y, x = self.corner(self.rows - 1, self.columns - 1)
    return y + self.height + LINE, x + self.width + LINE

  def corner(self, row: int, column: int) -> tuple[int, int]:
    """The first line and the first column of an image."""
    y = self.top + LINE + row * (self.caption + self.height + LINE)
    x = self.left + LINE + column * (self.width + LINE)
    return y + self.caption, x + column // self.together * self.gap

  def place(self, number: int) -> tuple[int, int]:
    """The corner of an image, counted row by row."""
    return self.corner(*divmod(number, self.columns))

  def width_of(self, images: int) -> int:
    """How wide so many neighbours of one group are."""
    return images * (self.width + LINE) - LINE


def lay_out(n: int, columns: int, side: int, **margins: int) -> Layout:
  """The layout of n square images in so many columns; see Layout."""
  return Layout(-(-n // columns), columns, side, side, **margins)
