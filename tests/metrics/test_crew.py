"""Every row is computed once, whoever computes and in whatever batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from alae_jax.metrics.crew import Crew, Stopped


def crew_of(devices, **share):
  return Crew(Mesh(np.array(jax.devices()[:devices]), ('data',)), **share)


def squares(crew, count, rows, seen=None):
  """The squares of 0 ... count - 1."""

  @jax.jit
  def function(x):
    return x**2

  def batch_of(indices):
    if seen is not None:
      seen.append(indices)
    return (jnp.asarray(indices, jnp.float32),)

  return crew.rows(function, count, batch_of, rows, 'squaring')


@pytest.mark.parametrize('devices', [1, 8])
@pytest.mark.parametrize('count', [1, 7, 16, 41])
@pytest.mark.parametrize('rows', [1, 3, 64])
def test_rows_come_once_and_in_order(devices, count, rows):
  seen = []
  found = squares(crew_of(devices), count, rows, seen)
  np.testing.assert_array_equal(found, np.arange(count) ** 2)
  assert sorted(np.concatenate(seen)) == list(range(count))


def test_every_device_gets_as_many_rows_in_every_call():
  shapes = []

  def function(x):
    shapes.append({shard.data.shape for shard in x.addressable_shards})
    return x

  crew_of(8).rows(function, 21, lambda i: (np.ones((len(i), 2), 'f4'),), 2, '')
  assert shapes == [{(2, 2)}] * 2


def test_whoever_stops_it_gets_no_number():
  asked = []

  def stops():
    asked.append(None)
    return len(asked) > 2

  with pytest.raises(Stopped):
    squares(crew_of(1, stops=stops), 10, 2)
  assert len(asked) == 3


@pytest.mark.parametrize('count', [2, 3, 17, 18])
def test_processes_share_the_rows_and_are_asked_equally_often(
  count, monkeypatch
):
  of_all, asked = [], []
  monkeypatch.setattr(
    'alae_jax.sharding.gather',
    lambda array: of_all.append(array) or array[None],
  )
  for process in range(3):
    times = []
    asked.append(times)
    crew = crew_of(
      1,
      process=process,
      processes=3,
      stops=lambda times=times: times.append(None),
    )
    squares(crew, count, 2)
  assert len(set(map(len, asked))) == 1
  if count < 3:  # each computes all, and there is nothing to gather
    assert not of_all
    return
  joined = np.stack(of_all).swapaxes(0, 1).reshape(-1)[:count]
  np.testing.assert_array_equal(joined, np.arange(count) ** 2)


def test_what_goes_wrong_in_a_batch_is_told():
  def broken(indices):
    raise ValueError('a damaged shard')

  with pytest.raises(ValueError, match='a damaged shard'):
    crew_of(1).rows(jnp.square, 5, broken, 2, '')
