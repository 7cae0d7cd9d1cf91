"""A run folder belongs to one process."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from etils import epath

from alae_jax.errors import UserError
from alae_jax.runs import ownership
from alae_jax.runs.folder import RunFolder
from alae_jax.runs.ownership import LostFolder, Owner


@pytest.fixture
def folder(tmp_path):
  return RunFolder(epath.Path(tmp_path) / 'run')


def said(folder):
  return json.loads(folder.owner.read_text())


def someone(folder, **facts):
  """Leaves the owner.json of another process."""
  folder.path.mkdir(exist_ok=True)
  owner = ownership._describe_process() | {'seen': time.time()} | facts
  folder.owner.write_text(json.dumps(owner))


def test_a_folder_is_made_owned_and_left(folder):
  with Owner(folder) as owner:
    owner.check()
    assert said(folder)['pid'] == os.getpid()
  assert not folder.owner.exists()
  with Owner(folder):  # and can be owned again
    pass


def test_a_second_owner_is_refused_in_one_line(folder):
  with Owner(folder):
    with (
      pytest.raises(UserError, match=rf'process {os.getpid()} on') as refusal,
      Owner(folder),
    ):
      pass
    assert '\n' not in str(refusal.value)
    assert folder.owner.exists()


RACE = """
import sys, time
from etils import epath
from alae_jax.errors import UserError
from alae_jax.runs.folder import RunFolder
from alae_jax.runs.ownership import Owner
for number in range(20):
  time.sleep(max(0, float(sys.argv[2]) + 0.15 * number - time.time()))
  try:
    with Owner(RunFolder(epath.Path(sys.argv[1]) / str(number))) as owner:
      began = time.monotonic()
      time.sleep(0.1)
      owner.check()
      print(number, began, time.monotonic())
  except UserError:
    print(number)
"""


def test_of_many_at_once_one_owns_the_folder(folder):
  """Real processes that start at the same moment, 20 times."""
  start = time.time() + 8
  jobs = [
    subprocess.Popen(
      [sys.executable, '-c', RACE, str(folder.path), str(start)],
      stdout=subprocess.PIPE,
      text=True,
    )
    for _ in range(3)
  ]
  told = [
    line.split() for job in jobs for line in job.communicate()[0].splitlines()
  ]
  assert len(told) == 60
  for number in range(20):
    spans = sorted(
      tuple(map(float, span))
      for at, *span in told
      if at == str(number) and span
    )
    assert spans
    for (_, end), (begin, _) in itertools.pairwise(spans):
      assert end <= begin


def test_a_disk_without_locks_will_do(folder, monkeypatch):
  def acquire(*_, **__):
    raise NotImplementedError

  monkeypatch.setattr(ownership.filelock.FileLock, 'acquire', acquire)
  with Owner(folder) as owner:
    owner.check()
    with pytest.raises(UserError, match='belongs to'), Owner(folder):
      pass


def test_a_dead_process_of_this_machine_is_no_owner(folder):
  job = subprocess.Popen([sys.executable, '-c', ''])
  job.wait()
  someone(folder, pid=job.pid)
  with Owner(folder):
    assert said(folder)['pid'] == os.getpid()


def test_a_number_that_another_process_has_now_is_no_owner(folder):
  someone(folder, started='1')
  with Owner(folder):
    pass


def test_a_machine_that_was_started_anew_has_no_owner(folder):
  someone(folder, boot='before')
  with Owner(folder):
    pass


def test_an_owner_elsewhere_is_told_by_its_silence(folder):
  someone(folder, host='elsewhere', seen=time.time() - 5)
  with pytest.raises(UserError, match='on elsewhere'), Owner(folder):
    pass
  someone(
    folder,
    host='elsewhere',
    seen=time.time() - ownership.SECONDS_OF_SILENCE - 1,
  )
  with Owner(folder):
    pass


@pytest.mark.parametrize('content', [b'', b'{', b'[]', b'3', b'\xff', b'{}'])
def test_a_damaged_note_is_replaced(folder, content):
  folder.path.mkdir()
  folder.owner.write_bytes(content)
  with Owner(folder) as owner:
    owner.check()


def test_an_owner_says_that_it_is_there(folder, monkeypatch):
  monkeypatch.setattr(ownership, 'SECONDS_BETWEEN_SIGNS', 0.02)
  with Owner(folder):
    before = said(folder)['seen']
    deadline = time.monotonic() + 10
    while said(folder)['seen'] == before:
      assert time.monotonic() < deadline


def test_who_lost_a_folder_is_told_and_leaves_the_new_owner_alone(folder):
  with Owner(folder) as owner:
    someone(folder, host='elsewhere', pid=7)
    with pytest.raises(
      LostFolder, match='now belongs to process 7 on elsewhere'
    ):
      owner.check()
  assert said(folder)['pid'] == 7


def test_a_folder_that_was_removed_or_remade_is_lost(folder):
  with Owner(folder) as owner:
    shutil.rmtree(folder.path)
    with pytest.raises(LostFolder, match='was removed'):
      owner.check()
    folder.path.mkdir()
    with pytest.raises(LostFolder, match='no process'):
      owner.check()
  assert not folder.owner.exists()
