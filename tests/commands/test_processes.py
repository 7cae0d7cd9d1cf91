"""Jobs of several processes: what they make, and how they end together."""

import functools
import random
import re
import signal
import socket
import sys

import pytest

from alae_jax import cli
from alae_jax.runs import records
from tests.support.jobs import (
  DIGITS,
  ends,
  main_job,
  newest_checkpoint,
  processes,
  times_in_log,
  wait_for,
)
from tests.support.runs import final_state
from tests.support.steps import assert_trees_close, distance

COUNTED = [sys.executable, '-m', 'tests.support.counted_job']
METRICS = 'fid51,fid50_rec,kid51,pr1k3,rec'


def alae(*arguments):
  return cli.main([str(argument) for argument in arguments])


def slurm_job():
  """The number of a job whose port, which jax derives of it, is free."""
  while True:
    number = random.randrange(1 << 20)
    with socket.socket() as server:
      try:
        server.bind(('', number % 4096 + 61440))
      except OSError:
        continue
    return number


def started_by_slurm(count, workdir, *overrides, devices):
  """One job of so many processes, as srun starts them."""
  number = slurm_job()
  return [
    main_job(
      workdir,
      *overrides,
      '--distributed',
      program=COUNTED,
      SLURM_JOB_ID=str(number),
      SLURM_STEP_NODELIST='localhost',
      SLURM_NTASKS=str(count),
      SLURM_PROCID=str(i),
      SLURM_LOCALID=str(i),
      JAX_NUM_CPU_DEVICES=str(devices),
    )
    for i in range(count)
  ]


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path, monkeypatch):
  """A job of two processes with four devices each, against one with eight.

  Each holds its part of the state, which no process has the whole of.
  They find one another by Slurm's variables, and wait for one another in no
  other way than in the step's own sums.
  """
  monkeypatch.setenv('ALAE_CACHE', str(tmp_path / 'cache'))
  overrides = [
    '--config.train.images=2000',
    '--config.train.shard=all',
    '--config.evaluation.at_end=()',
    '--config.evaluation.every_images=1000',
    f'--config.evaluation.metrics=({METRICS})',
    '--config.evaluation.features=pixels',
    '--config.evaluation.keep_best=fd_pixels',
  ]
  jobs = started_by_slurm(2, tmp_path / 'two', *overrides, devices=4)
  jobs.append(main_job(tmp_path / 'one', *overrides, JAX_NUM_CPU_DEVICES='8'))
  outs = ends(jobs, 600)
  assert [job.returncode for job in jobs] == [0, 0, 0], outs
  assert '8 x cpu in 2 process(es)' in outs[0]
  for out in outs[:2]:
    assert '21 steps, 0 collectives between them' in out
  two, one = (final_state(tmp_path / name) for name in ('two', 'one'))
  # Rounding decides the sign, and Adam the size, of the step that a gradient
  # of all but zero makes: single weights may differ by more (7e-6 were seen).
  assert distance(two.params, one.params) < 1e-6
  assert_trees_close(two.mean_w, one.mean_w, 2e-3)
  two_processes_evaluate_as_one(tmp_path / 'two')


def two_processes_evaluate_as_one(workdir):
  """Every number is recorded once, and this process's are the same."""
  path = workdir / 'metrics.jsonl'
  written = [record for record in records.read(path) if 'metric' in record]
  assert [(record['images_seen'], record['metric']) for record in written] == [
    (seen, name) for seen in (1056, 2016) for name in METRICS.split(',')
  ]
  words = '--metrics', METRICS, '--features', 'pixels', '--checkpoint', 'best'
  assert alae('evaluate', workdir, *words) == 0
  again = [r for r in records.read(path) if 'metric' in r][len(written) :]
  best = [r for r in written if r['images_seen'] == again[0]['images_seen']]
  for theirs, ours in zip(best, again, strict=True):
    for word in ('step', 'seconds', 'while_training'):
      theirs.pop(word), ours.pop(word, None)
    assert list(theirs) == list(ours)
    for name, value in theirs.items():
      close = isinstance(value, float)
      assert value == (pytest.approx(ours[name], 1e-6) if close else ours[name])


@pytest.mark.slow
@pytest.mark.parametrize('begun', ['compiled in', 'evaluating'])
def test_a_signal_to_one_process_stops_both(tmp_path, begun):
  """While they train, and while they evaluate, for minutes."""
  overrides = ['--config.train.images=900000', '--config.evaluation.at_end=()']
  if begun == 'evaluating':
    overrides += [
      '--config.evaluation.every_images=1000',
      '--config.evaluation.metrics=(fid1000k)',
      '--config.evaluation.features=pixels',
    ]
  jobs = processes(2, tmp_path, *overrides)
  wait_for(jobs[0], functools.partial(times_in_log, begun), tmp_path, 1)
  jobs[1].send_signal(signal.SIGTERM)
  outs = ends(jobs, 120)
  assert [job.returncode for job in jobs] == [143, 143], outs
  assert 'stopped by SIGTERM' in outs[0]
  assert 0 < newest_checkpoint(tmp_path) < 900_000


@pytest.mark.slow
@pytest.mark.parametrize('killed', [0, 1])
def test_where_one_process_is_killed_the_other_stops_with_one_line(
  tmp_path, killed
):
  jobs = processes(
    2,
    tmp_path,
    '--config.train.images=9000000',
    '--config.log.checkpoint_images=5000',
    '--config.evaluation.at_end=()',
  )
  wait_for(jobs[0], newest_checkpoint, tmp_path, 5000)
  jobs[killed].kill()
  outs = ends(jobs, 60)
  left = 1 - killed
  assert jobs[left].returncode == 1, outs
  last = outs[left].splitlines()[-1]
  assert re.search(
    rf'alae: process {killed} of 2 is gone: .*; all is saved until [\d,]+ '
    'images, and the same command goes on from there',
    last,
  )
  for trace in ('***', 'Traceback', 'Terminating'):
    assert trace not in outs[left]
  # A process that is killed lets go of nothing; here the system tells.
  assert (tmp_path / 'owner.json').exists() == (killed == 0)


def test_a_port_that_is_taken_is_told(capsys):
  with socket.create_server(('', 0)) as server:
    port = server.getsockname()[1]
    words = f'--distributed=localhost:{port},2,0'
    assert alae('train', DIGITS, '--workdir=x', words) == 2
  assert f'port {port} of this machine' in capsys.readouterr().err


@pytest.mark.parametrize('address', ['somewhere', 'localhost:1,2', 'h:1,2,2'])
def test_a_wrong_address_is_refused(address, capsys):
  assert alae('train', DIGITS, '--workdir=x', f'--distributed={address}') == 2
  assert address in capsys.readouterr().err
