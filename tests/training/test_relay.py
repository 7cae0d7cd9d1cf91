"""The program between jax and the first process."""

import socket
import subprocess
import sys

import pytest

from alae_jax.training import relay


@pytest.fixture
def relayed():
  """(the relay, jax's end of a connection, the first process's end)."""
  with socket.create_server(('127.0.0.1', 0)) as server:
    program = subprocess.Popen(
      [
        sys.executable,
        '-m',
        relay.__name__,
        'localhost',
        str(server.getsockname()[1]),
      ],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
    )
    port = int(program.stdout.readline())
    with socket.create_connection(('127.0.0.1', port), timeout=30) as inner:
      outer, _ = server.accept()
      outer.settimeout(30)
      with program, outer:
        yield program, inner, outer


def test_what_is_said_arrives_and_a_loss_is_told_alone(relayed):
  program, inner, outer = relayed
  program.terminate()  # of which it takes no notice
  inner.sendall(b'are you there')
  assert outer.recv(100) == b'are you there'
  outer.sendall(b'yes')
  assert inner.recv(100) == b'yes'
  outer.close()
  assert program.stdout.readline().strip() == relay.REACHED
  assert program.stdout.readline().strip() == relay.LOST
  inner.settimeout(0.2)
  with pytest.raises(TimeoutError):  # it is not closed
    inner.recv(1)
  program.stdin.close()
  assert program.wait(30) == 0


def test_an_end_of_jax_is_no_loss(relayed):
  program, inner, outer = relayed
  inner.close()
  assert outer.recv(1) == b''
  program.stdin.close()
  assert program.stdout.read().split() == [relay.REACHED]
