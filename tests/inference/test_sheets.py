"""Where the images of a sheet lie, and what is written beside them."""

import numpy as np
import pytest
from PIL import ImageFont

from alae_jax.inference import layout as layout_lib
from alae_jax.inference import pictures
from alae_jax.inference.sheets import Sheet, shorten

FONT = ImageFont.load_default(11)
ODD = [
  '',
  ' ',
  '顔写真',
  'été',
  '\U0001f600' * 9,
  'a\nb\x1b[2J',
  '\udcff',
  'שלום',
]


def colours(n, side=64, channels=3):
  """n images, each of its own shade that no label and no margin has."""
  shades = np.arange(n, dtype=np.uint8)[:, None, None, None]
  return np.broadcast_to(shades, (n, side, side, channels))


def test_a_layout_counts_lines_gaps_and_margins():
  layout = layout_lib.Layout(
    2, 4, height=10, width=16, together=2, left=30, top=12, caption=5
  )
  assert layout.gap == 8
  assert layout.corner(0, 0) == (12 + 2 + 5, 30 + 2)
  assert layout.corner(0, 1) == (19, 32 + 16 + 2)
  assert layout.corner(0, 2) == (19, 32 + 2 * 18 + 8)
  assert layout.corner(1, 0) == (19 + 5 + 10 + 2, 32)
  assert layout.place(7) == layout.corner(1, 3) == (36, 32 + 3 * 18 + 8)
  assert layout.shape == (36 + 10 + 2, 94 + 16 + 2)
  assert layout.width_of(2) == 34


def test_without_labels_there_are_lines_alone():
  layout = layout_lib.lay_out(5, 3, 64)
  assert layout.shape == (2 * 66 + 2, 3 * 66 + 2)
  assert Sheet(3).layout(5, 8) == layout


def test_pairs_are_further_apart_than_their_halves():
  sheet = pictures.grid(colours(8), 4, together=2)
  (line,) = np.nonzero((sheet[2] == pictures.BACKGROUND).all(-1))
  np.testing.assert_array_equal(
    line, [0, 1, 66, 67, *range(132, 142), 206, 207, 272, 273]
  )


@pytest.mark.parametrize('side', [8, 64, 200])
@pytest.mark.parametrize('channels', [1, 3])
def test_labels_are_in_the_margins_and_never_over_pixels(side, channels):
  images = colours(6, side, channels)
  sheet = Sheet(
    3,
    rows=[('a long name indeed of a row ' * 9, 'seed 2')] * 2,
    heads=['Äg' * 99] * 3,
    captions=['seed 4294967295'] * 6,
  )
  layout = sheet.layout(6, side)
  picture = sheet.draw(images)
  assert picture.shape == (*layout.shape, channels)
  shown = pictures.enlarge(images)
  for i in range(6):
    y, x = layout.place(i)
    np.testing.assert_array_equal(
      picture[y : y + layout.height, x : x + layout.width], shown[i]
    )
    caption = picture[y - layout.caption : y, x : x + layout.width]
    assert (caption > 200).any()
  assert (picture[: layout.top, layout.left :] > 200).any()
  for row in range(2):
    y, _ = layout.corner(row, 0)
    assert (picture[y : y + layout.height, : layout.left] > 200).any()


def test_what_is_not_labelled_takes_no_room():
  layout = Sheet(2, rows=[('seed 1',)]).layout(2, 64)
  assert layout.left > 0
  assert layout.top == layout.caption == 0
  assert Sheet(2, rows=[('',)]).layout(2, 64).left == 0


def test_a_caption_of_a_pair_is_over_both():
  sheet = Sheet(4, together=2, captions=['m' * 99, 'm' * 99])
  layout = sheet.layout(4, 64)
  picture = sheet.draw(colours(4))
  _, inked = np.nonzero((picture[: layout.caption] > 200).any(-1))
  assert inked.min() < 10
  assert 66 in inked
  assert not ((inked >= 132) & (inked < 142)).any()  # between the pairs


def test_a_long_name_loses_its_middle():
  name = 'holiday photograph of 2019-08-23.png'
  short = shorten(name, 100, FONT)
  head, tail = short.split('…')
  assert name.startswith(head)
  assert name.endswith(tail)
  assert abs(len(head) - len(tail)) <= 1
  assert 80 < FONT.getlength(short) <= 100
  assert shorten('seed 3', 100, FONT) == 'seed 3'
  assert shorten(name, 0, FONT) == '…'


@pytest.mark.parametrize('name', ODD, ids=range(len(ODD)))
def test_any_name_can_be_drawn(name):
  sheet = Sheet(1, rows=[(name, name)], heads=[name], captions=[name])
  layout = sheet.layout(1, 64)
  picture = sheet.draw(colours(1))
  y, x = layout.place(0)
  assert (picture[y : y + 64, x : x + 64] == 0).all()


def test_accents_are_left_out_rather_than_drawn_as_boxes():
  assert shorten('Zürich été', 200, FONT) == 'Zurich ete'
