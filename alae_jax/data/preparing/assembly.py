"""From shards to datasets, and what is said of bad images."""

import hashlib
from collections.abc import Sequence
from typing import Any

from alae_jax import progress
from alae_jax.data.preparing import levels, shards
from alae_jax.data.preparing.plans import Plan
from alae_jax.data.sources import base
from alae_jax.errors import UserError, printable

_MOST_NAMED = 20
# Of the first images: what is wrong with most of them is wrong with all.
_BAD_ONES_TO_GIVE_UP = 100


def judge(
  source: base.Source, reports: Sequence[dict[str, Any]], bad_files: str
) -> list[tuple[str, str]]:
  """What is done about images that can't be read.

  Args:
    source: names the place.
    reports: of all shards.
    bad_files: 'fail' or 'skip'.

  Returns:
    The names and reasons of those that are skipped.

  Raises:
    UserError: there are bad ones, and they are not to be skipped.
  """
  bad = [(name, why) for report in reports for name, why in report['bad']]
  if bad_files == 'skip' or not bad:
    return bad
  raise _refusal(source, bad, sum(report['images'] for report in reports))


class TooManyBad(UserError):
  """There is no hope for a source."""


def check_hope(
  source: base.Source, bad: Sequence[tuple[str, str]], seen: int
) -> None:
  """Spares hours where most of the first images can't be used.

  Raises:
    TooManyBad: that is so.
  """
  if len(bad) > max(_BAD_ONES_TO_GIVE_UP, seen / 2):
    first, why = bad[0]
    raise TooManyBad(
      f'{len(bad):,} of the first {seen:,} images of {source.path} cannot be '
      f'used, such as {first}: {why}'
    )


def _refusal(
  source: base.Source, bad: Sequence[tuple[str, str]], good: int
) -> UserError:
  """Names the first twenty, and says how many there are."""
  for name, why in bad[:_MOST_NAMED] if len(bad) > 1 else ():
    progress.say(printable(f'{name}: {why}'))
  more = f', and {len(bad) - _MOST_NAMED:,} more' * (len(bad) > _MOST_NAMED)
  first, why = bad[0]
  return UserError(
    f'{len(bad):,} of {len(bad) + good:,} images of {source.path} cannot be '
    f'used, such as {first}: {why}{more}; mend or remove them, or set '
    'bad_files to skip'
  )


def warn_of_dark(
  reports: Sequence[dict[str, Any]], depth_range: tuple[int, int] | None
) -> None:
  """Says that deep images use a part of their range, as cameras' 12 bits."""
  deepest = max(report['deepest'] for report in reports)
  if 0 < deepest < 1 << 14 and depth_range is None:
    high = (1 << deepest.bit_length()) - 1
    progress.say(
      f'warning: the 16-bit images reach only {deepest:,} of 65,535 and are '
      f'dark: depth_range 0,{high} makes {high:,} white'
    )


def assemble(
  plan: Plan,
  recipe: shards.Recipe,
  cut: Sequence[shards.Shard],
  reports: Sequence[dict[str, Any]],
) -> None:
  """Makes datasets of the shards, in the staging folder."""
  full = [
    (shard, report)
    for shard, report in zip(cut, reports, strict=True)
    if report['images']
  ]
  if not any(shard.split == 'train' for shard, _ in full):
    raise UserError(f'source {plan.source.path}: no image is left to train on')
  pixels = hashlib.sha256()
  for shard, report in full:
    pixels.update(f'{shard.split} {report["sha256"]}\n'.encode())
  for level in recipe.levels:
    files: dict[str, list[levels.ShardFile]] = {}
    for shard, report in full:
      of_level = report['levels'][str(level)]
      files.setdefault(shard.split, []).append(
        levels.ShardFile(
          shards.shard_path(recipe, shard, level),
          report['images'],
          of_level['payload'],
          of_level['sha256'],
        )
      )
    levels.assemble(
      recipe.folder,
      plan.name,
      level,
      plan.treatment.channels,
      plan.labels.names if plan.labels else None,
      files,
      {
        'fingerprint': pixels.hexdigest(),
        'made_from': plan.fingerprint,
        'source': plan.source.digest,
      },
    )
