"""Metrics by name: fid50k, ppl_w_end, rec, ...; any number may stand there."""

import re
from collections.abc import Callable, Sequence

from alae_jax.errors import UserError
from alae_jax.metrics.base import Metric
from alae_jax.metrics.distances import Fid, FidRec, Kid, PrecisionRecall
from alae_jax.metrics.path_length import Path, PathLength
from alae_jax.metrics.probe import Probe
from alae_jax.metrics.reconstruction import LpipsRec, Rec

# What users are told there is.
METRICS = (
  'fid50k',
  'fid50k_rec',
  'kid50k',
  'pr50k3',
  'ppl_z_full',
  'ppl_z_end',
  'ppl_w_full',
  'ppl_w_end',
  'lpips_rec',
  'rec',
  'probe',
)
_PAIRS = 50_000  # of a path length, where its name has no number
_LONGEST = 40  # of names
_MOST = 1_000_000  # images; of so many the features alone are 8 GB


def _count(text: str) -> int:
  return int(text.removesuffix('k')) * (1000 if text.endswith('k') else 1)


def _some(text: str | None) -> int | None:
  return _count(text) if text else None


def _path_length(match: re.Match[str]) -> PathLength:
  path = Path(match['space'], match['where'] == 'full', bool(match['crop']))
  return PathLength(match[0], _some(match['n']) or _PAIRS, path)


_FORMS: tuple[tuple[str, Callable[[re.Match[str]], Metric]], ...] = (
  (r'fid(?P<n>\d+k?)', lambda m: Fid(m[0], _count(m['n']))),
  (r'fid(?P<n>\d+k?)_rec', lambda m: FidRec(m[0], _count(m['n']))),
  (r'kid(?P<n>\d+k?)', lambda m: Kid(m[0], _count(m['n']))),
  (
    r'pr(?P<n>\d+k)(?P<k>[1-9]\d?)',
    lambda m: PrecisionRecall(m[0], _count(m['n']), int(m['k'])),
  ),
  (
    r'ppl(?P<n>\d+k?)?_(?P<space>[zw])_(?P<where>full|end)(?P<crop>_crop)?',
    _path_length,
  ),
  (r'lpips(?P<n>\d+k?)?_rec', lambda m: LpipsRec(m[0], _some(m['n']))),
  (r'rec(?P<n>\d+k?)?', lambda m: Rec(m[0], _some(m['n']))),
  (r'probe', lambda m: Probe()),
)


def find(name: str) -> Metric:
  """The metric of a name.

  Raises:
    UserError: there is none; says which there are.
  """
  for form, build in _FORMS:
    match = re.fullmatch(form, name, re.ASCII)
    if not match or len(name) > _LONGEST:
      continue
    count = _some(match.groupdict().get('n'))
    if count == 0:
      raise UserError(f'metric {name!r}: it is of no image')
    if count and count > _MOST:
      raise UserError(f'metric {name!r}: it is of {_MOST:,} images at most')
    return build(match)
  raise UserError(
    f'no metric {name!r}: there is {", ".join(METRICS)}; the numbers may be '
    'others, as in fid5k, and _crop after a ppl leaves only the middle of a '
    'face'
  )


def find_all(names: Sequence[str]) -> list[Metric]:
  """The metrics of some names.

  Raises:
    UserError: one does not exist.
  """
  return [find(name) for name in names]
