"""The Grain pipeline: batches as a pure function of seed and images seen.

A training stream is the dataset's images in a new random order every epoch,
one epoch after the other without a seam. Global batch k, of B images, is
images start + k·B … start + (k + 1)·B - 1 of the stream; each process takes
its contiguous slice of it. So one process and many see the same global
batches, and a run continues at any image at no cost.
"""

import os
import signal
import sys
from collections.abc import Iterator

import grain
import numpy as np
from absl import flags

from alae_jax.data import children
from alae_jax.data.dataset import ArrayDataset, Dataset
from alae_jax.errors import UserError

Batch = dict[str, np.ndarray]
_PREFETCH_BYTES = 256 << 20


def train_batches(
  dataset: Dataset,
  seed: int,
  batch_size: int,
  start: int = 0,
  process_index: int = 0,
  process_count: int = 1,
  num_threads: int | None = None,
  prefetch: int | None = None,
  num_workers: int = 0,
) -> grain.DatasetIterator[Batch]:
  """Returns the endless iterator over training batches.

  Args:
    dataset: the images.
    seed: of the order; 0 ≤ seed < 2³².
    batch_size: images in a global batch.
    start: images of this stream that were seen before; the first batch
      begins with the next one.
    process_index: which process this is.
    process_count: how many share each global batch; divides batch_size.
    num_threads: threads that make batches in the background; by default 1
      for a dataset in memory, else one a core, 8 at most.
    prefetch: batches made ahead; by default 4 in memory, else 16, or as
      many as 256 MiB hold; 0: none, everything happens in next().
    num_workers: processes that make batches in the background, each with so
      many threads, for a dataset that is not in memory; 0: this one alone.

  Yields:
    {'image': uint8 [batch_size / process_count, H, W, C]}, and 'label'
    int64 [batch_size / process_count] where the dataset has labels. The
    iterator has close(), which stops its threads.

  Raises:
    UserError: batch_size cannot be shared out.
  """
  local = _local_size(batch_size, process_count)
  if not len(dataset):
    raise UserError(f"dataset '{dataset.name}' has no images to train on")
  order = grain.MapDataset.range(len(dataset)).seed(seed).shuffle().repeat()
  first = start + process_index * local

  def make_batch(k: int) -> Batch:
    begin = first + k * batch_size
    return dataset.batch([order[i] for i in range(begin, begin + local)])

  # Shuffling indices, and gathering a batch at a time, takes a third of the
  # processor time of Grain's usual chain, which handles images one by one.
  batches = grain.MapDataset.range(sys.maxsize // batch_size).map(make_batch)
  options = _read_options(dataset, local, num_threads, prefetch)
  stream = batches.to_iter_dataset(options)
  if num_workers and not isinstance(dataset, ArrayDataset):
    # Grain asks absl's flags, which only programs of absl's parse.
    if not flags.FLAGS.is_parsed():
      flags.FLAGS.mark_as_parsed()
    stream = stream.mp_prefetch(
      grain.MultiprocessingOptions(num_workers, per_worker_buffer_size=2),
      worker_init_fn=_begin_worker,
    )
  return iter(stream)


def _begin_worker(*_: int) -> None:
  """Has a worker process outlast a cluster's SIGTERM to all of a job.

  The parent still takes batches until it has saved; then it closes the stream.
  """
  signal.signal(signal.SIGTERM, signal.SIG_IGN)
  children.begin()


def evaluation_batches(
  dataset: Dataset,
  batch_size: int,
  process_index: int = 0,
  process_count: int = 1,
) -> Iterator[Batch]:
  """Yields every image once, in order, in batches of one fixed size.

  Each process takes its contiguous slice of every global batch. The last
  batch is padded with its dataset's first image, masked out.

  Args:
    dataset: the images.
    batch_size: images in a global batch.
    process_index: which process this is.
    process_count: how many share each global batch; divides batch_size.

  Yields:
    {'image': uint8 [B, H, W, C], 'mask': bool [B]}, and 'label' int64 [B]
    where the dataset has labels; B = batch_size / process_count.
  """
  local = _local_size(batch_size, process_count)
  for first in range(0, len(dataset), batch_size):
    begin = first + process_index * local
    indices = np.arange(begin, begin + local)
    mask = indices < len(dataset)
    yield dataset.batch(np.where(mask, indices, 0)) | {'mask': mask}


def _local_size(batch_size: int, process_count: int) -> int:
  """Returns the images of a global batch that one process takes."""
  if batch_size < 1 or batch_size % process_count:
    raise UserError(
      f'train.batch_size {batch_size} cannot be shared out among '
      f'{process_count} process(es); use a multiple of {process_count}'
    )
  return batch_size // process_count


def _read_options(
  dataset: Dataset, local: int, num_threads: int | None, prefetch: int | None
) -> grain.ReadOptions:
  """Chooses how far to read ahead."""
  decoded = isinstance(dataset, ArrayDataset)
  if num_threads is None:
    num_threads = 1 if decoded else min(os.cpu_count() or 1, 8)
  if prefetch is None:
    fitting = _PREFETCH_BYTES // (local * dataset.image_bytes)
    prefetch = max(1, min(4 if decoded else 16, fitting))
  return grain.ReadOptions(
    num_threads=num_threads if prefetch else 0, prefetch_buffer_size=prefetch
  )
