"""A program between jax in one process and the first process of its job.

jax ends a process at once, with a page of C++, when its connection to the first
process breaks. It is given a connection to this program instead, which stays
when that one breaks, and tells. In a process of its own, as jax may wait for
the first process without letting other threads of Python run.

  python -m alae_jax.training.relay HOST PORT

It prints a line with the port on which jax is awaited, then REACHED and LOST as
they happen, and ends when its standard input does. Only Python's own library is
imported here, so that it starts at once.
"""

import contextlib
import os
import signal
import socket
import sys
import threading

REACHED, LOST = 'reached', 'lost'

# A machine that vanished without a word is given up after so long.
_SECONDS_TO_FIRST_PROBE, _SECONDS_BETWEEN, _PROBES = 10, 5, 4


def tell(word: str | int) -> None:
  """A line for the process that started this one."""
  print(word, flush=True)


def serve(server: socket.socket, host: str, port: int) -> None:
  """Takes jax's connections, each of which gets one to the first process."""
  while True:
    inner, _ = server.accept()
    try:
      outer = socket.create_connection((host, port), timeout=10)
    except OSError:
      inner.close()  # jax tries again
      continue
    outer.settimeout(None)
    probe(outer)
    tell(REACHED)
    over = threading.Event()
    for ends in ((inner, outer), (outer, inner)):
      ends[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
      threading.Thread(
        target=pump, args=(*ends, outer, over), daemon=True
      ).start()


def probe(connection: socket.socket) -> None:
  """Has the system notice when nobody is at the other end any more."""
  connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
  if sys.platform != 'linux':
    return
  for option, value in (
    (socket.TCP_KEEPIDLE, _SECONDS_TO_FIRST_PROBE),
    (socket.TCP_KEEPINTVL, _SECONDS_BETWEEN),
    (socket.TCP_KEEPCNT, _PROBES),
    # Of what was sent and is not acknowledged, in milliseconds.
    (socket.TCP_USER_TIMEOUT, 1000 * _SECONDS_BETWEEN * (_PROBES + 2)),
  ):
    connection.setsockopt(socket.IPPROTO_TCP, option, value)


def pump(
  source: socket.socket,
  sink: socket.socket,
  outer: socket.socket,
  over: threading.Event,
) -> None:
  """Passes on what comes, until one of both is closed.

  Args:
    source: to read from.
    sink: to write to; where `outer` is what broke, jax's own stays open.
    outer: the one of both that leads to the first process.
    over: set when jax itself has closed.
  """
  broken = source
  try:
    while data := source.recv(1 << 16):
      broken = sink
      sink.sendall(data)
      broken = source
  except OSError:
    pass
  if broken is not outer:
    over.set()
    with contextlib.suppress(OSError):
      outer.shutdown(socket.SHUT_RDWR)
  elif not over.is_set():
    tell(LOST)


def main() -> None:
  """Serves until the standard input ends, as when its owner is killed."""
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)  # Slurm sends them to all there is
  host, port = sys.argv[1], int(sys.argv[2])
  server = socket.create_server(('127.0.0.1', 0))
  tell(server.getsockname()[1])
  threading.Thread(target=serve, args=(server, host, port), daemon=True).start()
  sys.stdin.buffer.read()
  os._exit(0)


if __name__ == '__main__':
  main()
