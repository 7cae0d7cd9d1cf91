"""What the paper and others report, and how it differs from what is here.

The paper does not tell its protocol to the last detail; the authors' release,
whose code computed its numbers, does.
"""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Published:
  """One number.

  Attributes:
    dataset: the name that `alae prepare` gives it.
    resolution: of the images.
    metric: without the number of images, by which ours is found: fid, ppl_w_end
      and the like.
    model: whose it is.
    value: as it was reported.
    source: by whom.
    differs: from what `alae evaluate` computes unless told otherwise.
  """

  dataset: str
  resolution: int
  metric: str
  model: str
  value: float
  source: str
  differs: str


_ALAE = 'Pidhorskyi et al. 2020'
_SOFT = 'Daniel and Tamar 2021'
_FID = (
  '50,000 images; mixed styles and mirrored training images in the release '
  '(protocol alae-release)'
)
_PPL = 'the middle of the face alone (ppl_..._crop)'

NUMBERS = (
  Published('ffhq', 1024, 'fid', 'StyleALAE', 13.09, _ALAE, _FID),
  Published('ffhq', 1024, 'fid', 'StyleGAN', 4.40, _ALAE, '50,000 images'),
  Published('ffhq', 1024, 'ppl_w_end', 'StyleALAE', 103.4, _ALAE, _PPL),
  Published('ffhq', 1024, 'ppl_w_end', 'StyleGAN', 182.1, _ALAE, _PPL),
  Published('ffhq', 256, 'fid', 'Style-SoftIntroVAE', 17.55, _SOFT, ''),
  Published(
    'bedroom',
    256,
    'fid_rec',
    'StyleALAE',
    15.92,
    _ALAE,
    'the release reconstructs training images (protocol alae-release)',
  ),
  Published('celebahq', 256, 'fid', 'StyleALAE', 19.21, _ALAE, _FID),
  Published('celebahq', 256, 'ppl_w_full', 'StyleALAE', 33.29, _ALAE, _PPL),
  Published('celebahq', 256, 'fid', 'Style-SoftIntroVAE', 18.63, _SOFT, ''),
)


def beside(
  dataset: str, resolution: int, numbers: Sequence[str]
) -> list[Published]:
  """The published numbers to set beside some of ours.

  Args:
    dataset: that ours are of.
    resolution: likewise.
    numbers: names such as fid50k, in which the count of images does not matter.
  """
  wanted = {plain(number) for number in numbers}
  return [
    number
    for number in NUMBERS
    if number.dataset == dataset
    and number.resolution == resolution
    and number.metric in wanted
  ]


def plain(number: str) -> str:
  """'fid50k_rec' -> 'fid_rec', 'ppl5k_w_end_crop' -> 'ppl_w_end'."""
  head, *rest = number.split('_')
  kept = [part for part in rest if part != 'crop']
  return '_'.join([head.rstrip('0123456789k'), *kept])
