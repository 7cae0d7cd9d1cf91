"""How the processes of a job find one another.

The one file that knows jax's own modules: there alone one learns what it has
found out of a cluster, and what it lets processes tell each other.
"""

import contextlib
import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator

import jax
from jax._src import clusters, distributed

from alae_jax.errors import UserError, reason, tell
from alae_jax.training import relay
from alae_jax.training.peers import Peers

SECONDS_TO_JOIN = 300

_GIVE = (
  'give HOST:PORT,N,I, as 10.0.0.1:1234,4,0 for the first of four processes'
)
# Where the first is set, jax needs the others.
_NEEDED = {
  'OMPI_MCA_orte_hnp_uri': (
    'OMPI_COMM_WORLD_SIZE',
    'OMPI_COMM_WORLD_RANK',
    'OMPI_COMM_WORLD_LOCAL_RANK',
  ),
  'SLURM_JOB_ID': (
    'SLURM_STEP_NODELIST',
    'SLURM_NTASKS',
    'SLURM_PROCID',
    'SLURM_LOCALID',
  ),
  'TPU_WORKER_HOSTNAMES': ('TPU_WORKER_ID',),
}


@dataclasses.dataclass(frozen=True)
class Place:
  """A process's place in its job.

  Attributes:
    host: where the first process is.
    port: on which it listens there.
    processes: how many there are.
    process: which this is.
    devices: which of the machine's are this process's own; None for all.
  """

  host: str
  port: int
  processes: int
  process: int
  devices: tuple[int, ...] | None = None

  def __post_init__(self) -> None:
    if not 0 <= self.process < self.processes:
      raise UserError(
        f'distributed: process {self.process} of {self.processes}: the first '
        f'of N is 0 and the last N - 1; {_GIVE}'
      )

  def __str__(self) -> str:
    return f'{self.host}:{self.port},{self.processes},{self.process}'


def join(address: str) -> Peers | None:
  """Connects the processes of a job, which must all be started.

  Args:
    address: 'HOST:PORT,N,I', or '' where jax can find out.

  Returns:
    The others; None where there are none.

  Raises:
    UserError: it is something else, or jax can't find out.
  """
  place = read(address) if address else detect()
  if place.processes == 1:
    return None
  line = None if place.process == 0 else Line(place)
  joined = threading.Event()
  threading.Thread(
    target=_give_up, args=(place, line, joined), daemon=True
  ).start()
  with _interruptible():
    _initialize(place, line)
  joined.set()
  store = distributed.global_state.client
  assert store is not None
  peers = Peers(store, place.process, place.processes)
  if line is not None:
    line.peers = peers
  return peers


def read(address: str) -> Place:
  """The place that 'HOST:PORT,N,I' says.

  Raises:
    UserError: it is something else.
  """
  match = re.fullmatch(r'\[?([^,\[\]]+)\]?:(\d+),(\d+),(\d+)', address)
  if not match or not int(match[4]) < int(match[3]):
    raise UserError(
      f'distributed {address}: it must be HOST:PORT,N,I, as '
      '10.0.0.1:1234,4,0 for the first of four processes'
    )
  return Place(
    match[1], int(match[2]), int(match[3]), int(match[4]), _own_devices()
  )


def detect() -> Place:
  """The place that a TPU pod, Slurm or Open MPI says.

  Raises:
    UserError: there is none of these, or it does not say all.
  """
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # of a package that Kubernetes would need
    try:
      found = clusters.ClusterEnv.auto_detect_unset_distributed_params(
        os.environ.get('JAX_COORDINATOR_ADDRESS'),
        None,
        None,
        None,
        None,
        SECONDS_TO_JOIN,
      )
    except Exception as error:  # of what is set wrongly, in many ways
      why = _half_set() or reason(error)
      raise UserError(f'distributed: {why}; or {_GIVE}') from error
  address, processes, process, devices = found
  if address is None or processes is None or process is None:
    raise UserError(f'distributed: {_half_set() or _unknown()}; or {_GIVE}')
  host, _, port = address.rpartition(':')
  return Place(
    host, int(port), processes, process, tuple(devices) if devices else None
  )


def _own_devices() -> tuple[int, ...] | None:
  """Slurm and Open MPI give each process of a machine one accelerator."""
  for cluster in (clusters.SlurmCluster, clusters.OmpiCluster):
    if cluster.is_env_present() and not _half_set():
      return (int(cluster.get_local_process_id() or 0),)
  return None


def _half_set() -> str:
  """Which variables are missing beside others; '' for none."""
  for sign, needed in _NEEDED.items():
    missing = [name for name in needed if name not in os.environ]
    if sign in os.environ and missing:
      how = ': start it with srun' if sign.startswith('SLURM') else ''
      return f'{sign} is set, but not {", ".join(missing)}{how}'
  return ''


def _unknown() -> str:
  if 'OMPI_COMM_WORLD_SIZE' in os.environ:
    return (
      'this Open MPI does not tell where the first process is: N is '
      '$OMPI_COMM_WORLD_SIZE and I is $OMPI_COMM_WORLD_RANK'
    )
  if 'KUBERNETES_SERVICE_HOST' in os.environ:
    return (
      'in Kubernetes HOST is the first pod of an indexed job, and I is '
      '$JOB_COMPLETION_INDEX'
    )
  return 'this is no TPU pod, and no job of Slurm or Open MPI'


class Line:
  """The connection to the first process, by way of the relay.

  Attributes:
    port: of this machine, on which the relay awaits jax.
    reached: whether the first process has been.
    peers: who is to know when it is gone; None until all have come.
  """

  def __init__(self, place: Place):
    self.peers: Peers | None = None
    self.reached = False
    self._place = place
    self._relay = subprocess.Popen(
      [sys.executable, '-m', relay.__name__, place.host, str(place.port)],
      stdin=subprocess.PIPE,  # its end is the relay's
      stdout=subprocess.PIPE,
      text=True,
      start_new_session=True,  # Ctrl-C is not for it
    )
    assert self._relay.stdout is not None
    self.port = int(self._relay.stdout.readline())
    threading.Thread(target=self._hear, daemon=True).start()

  def _hear(self) -> None:
    assert self._relay.stdout is not None
    for line in self._relay.stdout:
      if line.strip() == relay.REACHED:
        self.reached = True
      elif self.peers is None:
        _leave(self._place, 'process 0 ended before all had come')
      else:
        self.peers.lost(0)
        self._relay.kill()  # all is done: jax may know


def _initialize(place: Place, line: Line | None) -> None:
  """Returns when all processes have come.

  Raises:
    UserError: another program listens on the port.
  """
  if line is None:
    _check_port(place)
    address = f'{place.host}:{place.port}'
  else:
    address = f'127.0.0.1:{line.port}'
  # What is within a job goes through no proxy, of which jax would warn.
  os.environ.setdefault('no_grpc_proxy', f'127.0.0.1,{place.host}')
  jax.config.update('jax_check_proxy_envs', False)
  jax.distributed.initialize(
    address,
    place.processes,
    place.process,
    None if place.devices is None else list(place.devices),
    cluster_detection_method='deactivate',
    # Of what takes longer it would tell in C++; `_give_up` is sooner.
    initialization_timeout=2 * SECONDS_TO_JOIN,
  )


def _check_port(place: Place) -> None:
  try:
    socket.create_server(('', place.port)).close()
  except OSError as error:
    raise UserError(
      f'distributed {place}: port {place.port} of this machine: '
      f'{error.strerror}: give another one to all'
    ) from error


def _give_up(place: Place, line: Line | None, joined: threading.Event) -> None:
  """Ends this process when others don't come."""
  if joined.wait(SECONDS_TO_JOIN):
    return
  missing = line is not None and not line.reached
  _leave(
    place,
    f'process 0 was not found there in {SECONDS_TO_JOIN} s'
    if missing
    else f'not all processes have come in {SECONDS_TO_JOIN} s',
  )


def _leave(place: Place, why: str) -> None:
  tell(
    f'distributed {place}: {why}: start the same command in each of '
    f'{place.processes} processes, in which I is 0 to {place.processes - 1}, '
    f'on machines that reach {place.host}:{place.port}'
  )
  os._exit(1)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
  """Has Ctrl-C end the process at once: jax waits without hearing it."""
  before = signal.signal(signal.SIGINT, signal.SIG_DFL)
  try:
    yield
  finally:
    signal.signal(signal.SIGINT, before)
