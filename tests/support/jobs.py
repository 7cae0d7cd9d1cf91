"""Training commands in processes of their own, as users start them."""

import functools
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parent.parent.parent
MAIN = [sys.executable, '-m', 'alae_jax.main']
DIGITS = '--config=experiments/digits.py'


def main_job(workdir, *overrides, program=MAIN, **environment):
  """Starts `python -m alae_jax.main` on one device, as a user would."""
  return subprocess.Popen(
    [*program, DIGITS, f'--workdir={workdir}', *overrides],
    cwd=ROOT,
    env={**os.environ, **environment},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def free_port():
  with socket.socket() as server:
    server.bind(('localhost', 0))
    return server.getsockname()[1]


def processes(count, workdir, *overrides, devices=1, **words):
  """Starts one job of so many processes, with so many devices each."""
  port = free_port()
  return [
    main_job(
      workdir,
      *overrides,
      f'--distributed=localhost:{port},{count},{i}',
      JAX_NUM_CPU_DEVICES=str(devices),
      **words,
    )
    for i in range(count)
  ]


def ends(jobs, seconds):
  """What each printed; those that do not end in time are killed."""
  deadline = time.monotonic() + seconds
  while time.monotonic() < deadline and None in [job.poll() for job in jobs]:
    time.sleep(0.1)
  for job in jobs:
    job.kill()
  return [job.communicate()[0] for job in jobs]


def newest_checkpoint(workdir):
  names = [
    int(path.name)
    for path in (workdir / 'checkpoints').glob('*')
    if path.name.isdigit()
  ]
  return max(names, default=0)


def wait_for(job, count, workdir, enough, seconds=120):
  """Returns once count(workdir) is `enough`, the job is over or time is up."""
  end = time.monotonic() + seconds
  while (
    count(workdir) < enough and job.poll() is None and time.monotonic() < end
  ):
    time.sleep(0.05)


def times_in_log(words, workdir):
  log = workdir / 'log.txt'
  return log.read_text().count(words) if log.exists() else 0


times_compiled = functools.partial(times_in_log, 'compiled in')
