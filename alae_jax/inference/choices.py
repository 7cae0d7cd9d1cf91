"""What is chosen by a word: layers of G, kinds of noise.

Nothing here needs jax, so that a command line is read at once.
"""

import dataclasses
import re
from typing import TYPE_CHECKING

from alae_jax.errors import UserError

if TYPE_CHECKING:
  from alae_jax.inference.model import Model

# Of a StyleALAE: drawn for each image, the same for all, or none.
NOISES = ('random', 'constant', 'none')

# Layers from ... to before ..., as Karras et al. 2019 (figure 3) name them.
GROUPS = {'coarse': (0, 4), 'middle': (4, 8), 'fine': (8, None)}


@dataclasses.dataclass(frozen=True)
class Layers:
  """Some layers of G, as the user named them.

  Attributes:
    name: coarse, middle, fine, or numbers.
    first: layer.
    end: layer after the last; None for as many as there are.
  """

  name: str
  first: int
  end: int | None

  def within(self, model: 'Model') -> tuple[int, int]:
    """The first layer and the one after the last, in a model.

    Raises:
      UserError: the model has no such layers.
    """
    active = model.active_layers
    end = active if self.end is None else self.end
    if self.first >= active or (end > active and self.name not in GROUPS):
      raise UserError(
        f'layers {self.name}: this model works with layers 0 to {active - 1}'
      )
    return self.first, min(end, active)


EVERY_LAYER = Layers('all', 0, None)


def parse_layers(text: str) -> Layers:
  """'coarse', 'middle', 'fine', '3' or '2-5' -> Layers.

  Raises:
    UserError: the text is something else.
  """
  if text in GROUPS:
    return Layers(text, *GROUPS[text])
  match = re.fullmatch(r'(\d+)(?:-(\d+))?', text)
  first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
  if first > last:
    raise UserError(
      f'{text!r} is none of coarse, middle, fine, a layer and layers such '
      'as 0-3'
    )
  return Layers(text, first, last + 1)


def groups_of(model: 'Model') -> list[Layers]:
  """Those of coarse, middle and fine layers that a model has."""
  return [
    Layers(name, *bounds)
    for name, bounds in GROUPS.items()
    if bounds[0] < model.active_layers
  ]
