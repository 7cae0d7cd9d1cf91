"""The scripts of launch/, run with stand-ins for a cluster's programs."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from tests.support.launch import (
  EXTRAS,
  LAUNCH,
  ROOT,
  check,
  parse_train,
  tool,
)

# alae, which in this place ends as a file says, or by SIGTERM, as scancel sends
# it: that is a file too.
SRUN = r"""
printf '%s\n' "$@" >"$HERE/srun"
while [ ! -e "$HERE/term" ]; do
  [ -e "$HERE/status" ] && exit "$(cat "$HERE/status")"
  sleep 0.05
done
exit 143
"""

# Keeps the slice's state in two files, and has each training end as a line of a
# third says: with a status, and perhaps with the slice taken away.
GCLOUD = r"""
cd "$HERE" || exit
case $* in
*' describe '*) ;;
*) echo "${*//$'\n'/;}" >>called ;;
esac
case $* in
*'queued-resources describe'*) cat request ;;
*'tpu-vm describe'*) cat machines ;;
*'queued-resources create'*)
  read -r refusals <refused && [ "$refusals" != 0 ] &&
    echo "$((refusals - 1))" >refused && exit 1
  echo ACTIVE >request && echo READY >machines
  ;;
*'queued-resources delete'*) rm request machines ;;
*'tpu-vm scp'*) cp "$5" sent.tar.gz ;;
*'alae train'*)
  read -r status after <ends
  sed -i 1d ends
  if [ "$after" = preempted ]; then
    echo SUSPENDED >request
    echo PREEMPTED >machines
  fi
  exit "$status"
  ;;
esac
"""

# A machine of the slice, where an earlier alae takes a moment to stop.
PGREP = 'echo "pgrep $*" >>did; [ "$(grep -c pgrep did)" -lt 3 ]'
NEEDED = ['grep', 'mkdir', 'rm', 'sh', 'sleep', 'tar', 'gzip', 'timeout']


def write_program(path, text):
  path.parent.mkdir(exist_ok=True, parents=True)
  path.write_text(f'#!/bin/bash\n{text}\n')
  path.chmod(0o755)


@pytest.fixture
def environment(tmp_path):
  """Finds what is in bin/ before the real programs."""
  path = f'{tmp_path / "bin"}:{os.environ["PATH"]}'
  return os.environ | {'PATH': path, 'HERE': str(tmp_path), 'PAUSE': '0'}


@pytest.mark.parametrize('name', ['tpu_vm.sh', 'slurm.sbatch'])
def test_shellcheck_finds_nothing(name):
  check(tool('shellcheck'), str(LAUNCH / name))


# Slurm.


@pytest.fixture
def job(environment, tmp_path):
  """The job's script, running."""
  write_program(tmp_path / 'bin/srun', SRUN)
  scancel = 'echo "$@" >"$HERE/scancel"; touch "$HERE/term"'
  write_program(tmp_path / 'bin/scancel', scancel)
  write_program(tmp_path / 'bin/scontrol', 'echo "$@" >"$HERE/scontrol"')
  started = subprocess.Popen(
    ['bash', LAUNCH / 'slurm.sbatch', '--config=digits', '--workdir=a b'],
    env=environment | {'SLURM_JOB_ID': '17'},
  )
  for _ in range(400):
    if (tmp_path / 'srun').exists():
      break
    time.sleep(0.05)
  yield started
  (tmp_path / 'term').touch()
  started.wait(20)


def test_slurm_ends_with_a_finished_run(job, tmp_path):
  (tmp_path / 'status').write_text('0')
  assert job.wait(20) == 0
  assert not (tmp_path / 'scontrol').exists()
  words = (tmp_path / 'srun').read_text().splitlines()
  start = words.index('alae')
  assert words[start + 1] == 'train'
  args = parse_train(words[start + 2 :])
  assert (args.workdir, args.distributed) == ('a b', '')


def test_slurm_goes_on_when_the_time_was_up(job, tmp_path):
  job.send_signal(signal.SIGUSR1)
  assert job.wait(20) == 143
  assert (tmp_path / 'scancel').read_text() == '--signal=TERM 17\n'
  assert (tmp_path / 'scontrol').read_text() == 'requeue 17\n'


def test_slurm_ends_with_an_error(job, tmp_path):
  (tmp_path / 'status').write_text('2')
  assert job.wait(20) == 2
  assert not (tmp_path / 'scontrol').exists()


def test_slurm_does_not_bring_back_what_was_cancelled(job, tmp_path):
  job.send_signal(signal.SIGTERM)
  (tmp_path / 'term').touch()  # Slurm tells the processes by itself
  assert job.wait(20) == 143
  assert not (tmp_path / 'scontrol').exists()


def test_slurm_is_asked_for_what_the_script_relies_on():
  text = (LAUNCH / 'slurm.sbatch').read_text()
  options = dict(re.findall(r'^#SBATCH --([a-z-]+)=?(\S*)$', text, re.M))
  assert len(options) == text.count('\n#SBATCH')
  assert 'requeue' in options
  assert options['open-mode'] == 'append'
  assert options['signal'].startswith('B:USR1@')
  assert options['gres'] == f'gpu:{options["ntasks-per-node"]}'


# A TPU slice.


@pytest.fixture
def tpu_vm(environment, tmp_path):
  """Runs the script where gcloud is a stand-in: (result, lines it called)."""
  if not (ROOT / '.git').exists():
    pytest.skip('the script sends what a clone has committed')
  write_program(tmp_path / 'bin/gcloud', GCLOUD)

  def run(*ends, options=()):
    (tmp_path / 'ends').write_text('\n'.join(ends) + '\n')
    words = ['mine', 'z', 'v6e-16', *options, '--']
    words += ['--config=digits', '--workdir=gs://b/a b']
    result = subprocess.run(
      [LAUNCH / 'tpu_vm.sh', *words],
      env=environment,
      capture_output=True,
      text=True,
    )
    return result, (tmp_path / 'called').read_text().splitlines()

  return run


def verbs(called):
  return [line.split()[3] for line in called]


TRY = ['scp', 'ssh', 'ssh']  # send, install, train


def test_a_slice_is_made_used_and_deleted(tpu_vm):
  result, called = tpu_vm('0', options=['--spot'])
  assert result.returncode == 0, result.stderr
  assert verbs(called) == ['create', *TRY, 'delete']
  made = called[0].split()
  assert {'--node-id=mine', '--accelerator-type=v6e-16', '--spot'} <= set(made)
  assert '--runtime-version=v2-alpha-tpuv6e' in made
  assert all(line.endswith(' --zone=z') for line in called)
  assert all(' --worker=all ' in line for line in called[1:-1])


def test_a_preempted_slice_is_made_anew(tpu_vm):
  result, called = tpu_vm('255 preempted', '143 preempted', '0')
  assert result.returncode == 0, result.stderr
  again = ['delete', 'create', *TRY]
  assert verbs(called) == ['create', *TRY, *again, *again, 'delete']


def test_a_slice_that_is_there_is_used(tpu_vm, tmp_path):
  (tmp_path / 'request').write_text('ACTIVE\n')
  (tmp_path / 'machines').write_text('READY\n')
  _, called = tpu_vm('143', '0')
  assert verbs(called) == [*TRY, *TRY, 'delete']


def test_machines_that_were_made_otherwise_stay(tpu_vm, tmp_path):
  (tmp_path / 'machines').write_text('READY\n')
  _, called = tpu_vm('0')
  assert verbs(called) == TRY


def test_the_third_failure_ends_it_that_no_preemption_explains(tpu_vm):
  result, called = tpu_vm('1', '134', '143', '1', '1', '2')
  assert result.returncode == 2
  assert verbs(called) == ['create', *TRY * 6]
  assert 'queued-resources delete mine --zone=z --force' in result.stderr


@pytest.mark.parametrize(('refusals', 'then'), [(2, [*TRY, 'delete']), (3, [])])
def test_a_request_may_be_refused_twice(tpu_vm, tmp_path, refusals, then):
  (tmp_path / 'refused').write_text(f'{refusals}\n')
  result, called = tpu_vm('0')
  assert result.returncode == (0 if then else 1)
  assert verbs(called) == [*['create'] * 3, *then]


@pytest.mark.parametrize('words', [[], ['n', 'z', 't'], ['n', 'z', 't', '--']])
def test_what_is_missing_is_told(words):
  script = [LAUNCH / 'tpu_vm.sh', *words]
  result = subprocess.run(script, capture_output=True, text=True)
  assert result.returncode != 0
  assert 'usage: launch/tpu_vm.sh NAME ZONE TYPE' in result.stderr


def test_machines_can_do_what_they_are_told(tpu_vm, tmp_path):
  """With nothing on the PATH that could stop or install anything."""
  _, called = tpu_vm('0')
  machine = tmp_path / 'machine'
  for name in NEEDED:
    (machine / 'bin').mkdir(parents=True, exist_ok=True)
    (machine / 'bin' / name).symlink_to(shutil.which(name))
  for name in ('pkill', 'python3'):
    write_program(machine / 'bin' / name, f'echo "{name} $*" >>did')
  write_program(machine / 'bin/pgrep', PGREP)
  write_program(machine / 'venv/bin/alae', 'printf "%s\\n" "$@" >trained')
  shutil.copy(tmp_path / 'sent.tar.gz', machine / 'alae_jax.tar.gz')
  for line in called[2:4]:
    command = line.partition('--command=')[2].partition(' --ssh-flag')[0]
    check(
      *('/bin/bash', '-c', command.replace(';', '\n')),
      cwd=machine,
      env={'PATH': str(machine / 'bin')},
    )
  did = (machine / 'did').read_text().splitlines()
  assert did[:4] == ['pkill -TERM -x alae', *['pgrep -x alae'] * 3]
  (extras,) = re.findall(r'\./alae_jax\[(.+)\]', did[6])
  assert set(extras.split(',')) <= set(EXTRAS)
  assert (machine / 'alae_jax/pyproject.toml').exists()
  verb, *words = (machine / 'trained').read_text().splitlines()
  args = parse_train(words)
  assert (verb, args.workdir) == ('train', 'gs://b/a b')
  assert args.distributed == ''
