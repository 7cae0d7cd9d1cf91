"""Run folders of records alone."""

import json


def write_records(workdir, records):
  """A run folder with nothing but a config.json and these records."""
  workdir.mkdir(parents=True)
  (workdir / 'config.json').write_text('{}')
  lines = ''.join(json.dumps(record) + '\n' for record in records)
  (workdir / 'metrics.jsonl').write_text(lines)
  return workdir


def training(images_seen, **numbers):
  """A record as training writes them."""
  return {
    'images_seen': images_seen,
    'step': images_seen // 16,
    'seconds': images_seen / 1000,
    'loss_discriminator': 1.25,
    'r1_penalty': 0.5,
    'loss_latent': 1000 / images_seen,
    'resolution': 8,
    'blend': 1.0,
    'images_per_second': 900.0,
    'data_wait': 0.01,
    **numbers,
  }


def evaluation(images_seen, weights='ema', **fields):
  """A record as evaluation writes them."""
  return {
    'images_seen': images_seen,
    'step': images_seen // 16,
    'seconds': images_seen / 1000,
    'weights': weights,
    **fields,
  }


def growing(begins, sides, every=100):
  """Records of levels, the last of each where the next begins."""
  ends = [*begins[1:], begins[-1] + 10 * every]
  return [
    training(seen, resolution=side)
    for begin, end, side in zip(begins, ends, sides, strict=True)
    for seen in range(begin + every, end + 1, every)
  ]
