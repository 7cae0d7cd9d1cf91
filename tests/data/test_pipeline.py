import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from alae_jax.data import dataset as dataset_lib
from alae_jax.data import datasets, pipeline, prepare
from alae_jax.errors import UserError
from tests.support.example_data import write_images

SIZE = 50


@pytest.fixture(scope='module')
def source():
  """Fifty images whose label, and every pixel, is their index."""
  index = np.arange(SIZE)
  image = np.broadcast_to(index[:, None, None, None], (SIZE, 4, 4, 1))
  return dataset_lib.ArrayDataset('fifty', image.astype(np.uint8), index, SIZE)


def _take(source, count, seed=0, batch_size=8, **options):
  """Returns the labels of the first batches, [count, batch_size]."""
  batches = pipeline.train_batches(source, seed, batch_size, **options)
  try:
    return np.stack([b['label'] for b in itertools.islice(batches, count)])
  finally:
    batches.close()


def test_a_batch_holds_images_and_their_labels(source):
  batches = pipeline.train_batches(source, 0, 8)
  batch = next(batches)
  batches.close()
  assert set(batch) == {'image', 'label'}
  assert batch['image'].shape == (8, 4, 4, 1)
  assert batch['image'].dtype == np.uint8
  np.testing.assert_array_equal(batch['image'][:, 0, 0, 0], batch['label'])


def test_every_epoch_is_another_permutation(source):
  epochs = _take(source, 25).reshape(4, SIZE)
  for epoch in epochs:
    assert sorted(epoch) == list(range(SIZE))
    assert list(epoch) != list(range(SIZE))
  for one, two in itertools.combinations(epochs, 2):
    assert (one == two).mean() < 0.3


def test_batches_larger_than_the_data_run_through_epochs(source):
  batch = _take(source, 1, batch_size=120)[0]
  counts = np.bincount(batch, minlength=SIZE)
  assert set(counts) == {2, 3}
  assert counts.sum() == 120


@pytest.mark.parametrize('size', [1, 2, 3, 4, 5, 7, 17])
def test_tiny_data_is_shuffled_whole(source, size):
  tiny = dataset_lib.ArrayDataset('tiny', **source.batch(range(size)))
  for epoch in _take(tiny, 5, batch_size=size):
    assert sorted(epoch) == list(range(size))


def test_the_seed_makes_the_order(source):
  np.testing.assert_array_equal(_take(source, 20), _take(source, 20))
  one, two = _take(source, 50, seed=0), _take(source, 50, seed=1)
  assert (one == two).mean() < 0.1
  # Nor is an epoch of one seed another epoch of the next.
  for a, b in itertools.product(one.reshape(8, SIZE), two.reshape(8, SIZE)):
    assert (a == b).mean() < 0.3


@pytest.mark.parametrize('start', [0, 1, 8, 13, 49, 50, 51, 64, 1234567])
def test_a_run_continues_at_any_image(source, start):
  base = start - start % SIZE
  whole = _take(source, 30, start=base).reshape(-1)
  rest = _take(source, 10, start=start).reshape(-1)
  np.testing.assert_array_equal(rest, whole[start - base :][: rest.size])


def test_uninterrupted_equals_continued_with_another_batch_size(source):
  whole = _take(source, 20, batch_size=8).reshape(-1)
  first = _take(source, 8, batch_size=8).reshape(-1)
  rest = _take(source, 6, batch_size=16, start=64).reshape(-1)
  np.testing.assert_array_equal(np.concatenate([first, rest]), whole)


@pytest.mark.parametrize('start', [0, 37])
@pytest.mark.parametrize('count', [2, 4, 8])
def test_processes_share_each_global_batch(source, count, start):
  parts = [
    _take(source, 15, start=start, process_index=p, process_count=count)
    for p in range(count)
  ]
  assert parts[0].shape == (15, 8 // count)
  np.testing.assert_array_equal(
    np.concatenate(parts, axis=1), _take(source, 15, start=start)
  )


@pytest.mark.parametrize('options', [
  {'prefetch': 0}, {'num_threads': 4, 'prefetch': 9},
  {'num_threads': 1, 'prefetch': 1},
])  # fmt: skip
def test_threads_do_not_change_the_stream(source, options):
  np.testing.assert_array_equal(_take(source, 40, **options), _take(source, 40))


def test_batches_that_cannot_be_shared_are_refused(source):
  with pytest.raises(UserError, match='batch_size 10 cannot be shared'):
    pipeline.train_batches(source, 0, 10, process_count=4)
  with pytest.raises(UserError, match='batch_size 0'):
    pipeline.train_batches(source, 0, 0)


def test_no_images_are_refused(source):
  empty = dataset_lib.ArrayDataset('empty', **source.batch(range(0)))
  with pytest.raises(UserError, match="'empty' has no images"):
    pipeline.train_batches(empty, 0, 4)


def test_closing_stops_the_threads(source):
  before = set(threading.enumerate())
  batches = pipeline.train_batches(source, 0, 8, num_threads=2, prefetch=4)
  next(batches)
  started = set(threading.enumerate()) - before
  assert started
  batches.close()
  for thread in started:
    thread.join(timeout=5)
  assert not any(thread.is_alive() for thread in started)


def test_from_files_and_from_memory_is_the_same_stream(tmp_path):
  write_images(tmp_path / 'pictures', count=12, side=4)
  prepare.prepare('cats', tmp_path / 'pictures', tmp_path, test_images=0)
  files = datasets.open_dataset('cats', tmp_path, 'train', 4)
  streams = [
    pipeline.train_batches(s, 3, 5, start=7)
    for s in (files, dataset_lib.in_memory(files))
  ]
  for _, one, two in zip(range(9), *streams, strict=False):
    assert set(one) == {'image'}
    np.testing.assert_array_equal(one['image'], two['image'])
  for stream in streams:
    stream.close()


@pytest.mark.parametrize('count', [1, 2, 4])
def test_evaluation_sees_every_image_once_in_order(source, count):
  parts = [
    list(pipeline.evaluation_batches(source, 16, p, count))
    for p in range(count)
  ]
  assert all(len(part) == 4 for part in parts)  # 50 images: 3 whole and 2
  labels, mask = (
    np.stack([np.concatenate([p[k][key] for p in parts]) for k in range(4)])
    for key in ('label', 'mask')
  )
  assert labels.shape == mask.shape == (4, 16)
  assert mask.dtype == bool
  np.testing.assert_array_equal(labels[mask], np.arange(SIZE))


def test_evaluation_of_whole_batches_pads_nothing(source):
  batches = list(pipeline.evaluation_batches(source, 25))
  assert len(batches) == 2
  assert all(b['mask'].all() for b in batches)
  assert batches[0]['image'].shape == (25, 4, 4, 1)


def test_signals_for_all_of_a_job_do_not_end_its_workers(tmp_path):
  write_images(tmp_path / 'images', count=30, side=4)
  prepare.prepare('few', tmp_path / 'images', tmp_path, test_images=0)
  dataset = datasets.open_dataset('few', tmp_path, 'train', 4)
  batches = pipeline.train_batches(dataset, 3, 8, num_workers=2)
  for _ in range(2):  # one of each worker: they have begun
    next(batches)
  workers = multiprocessing.active_children()
  assert len(workers) == 2
  for worker in workers:
    os.kill(worker.pid, signal.SIGINT)
    os.kill(worker.pid, signal.SIGTERM)
  for _ in range(20):
    next(batches)
  batches.close()


def test_workers_end_when_their_parent_is_killed(tmp_path):
  write_images(tmp_path / 'images', count=30, side=4)
  prepare.prepare('few', tmp_path / 'images', tmp_path, test_images=0)
  program = tmp_path / 'program.py'
  program.write_text(
    'import os, signal, sys\n'
    'from alae_jax.data import datasets, pipeline\n'
    "if __name__ == '__main__':\n"
    "  few = datasets.open_dataset('few', sys.argv[1], 'train', 4)\n"
    '  batches = pipeline.train_batches(few, 3, 8, num_workers=2)\n'
    '  next(batches), next(batches)\n'
    '  os.kill(os.getpid(), signal.SIGKILL)\n'
  )
  # It waits for the end of the output, which the workers hold too.
  done = subprocess.run(
    [sys.executable, program, tmp_path], stdout=subprocess.PIPE, timeout=60
  )
  assert done.returncode == -signal.SIGKILL


def test_processes_do_not_change_the_stream_and_leave_with_it(tmp_path):
  write_images(tmp_path / 'images', count=30, side=4)
  prepare.prepare('few', tmp_path / 'images', tmp_path, test_images=0)
  dataset = datasets.open_dataset('few', tmp_path, 'train', 4)
  streams = []
  for options in ({}, {'num_workers': 2, 'num_threads': 1}):
    batches = pipeline.train_batches(dataset, 3, 8, start=16, **options)
    streams.append(np.stack([b['image'] for b in itertools.islice(batches, 9)]))
    batches.close()
  np.testing.assert_array_equal(*streams)
  for process in multiprocessing.active_children():
    process.join(10)
  assert not multiprocessing.active_children()
