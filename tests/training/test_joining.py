"""Where a process finds its job: in the variables that clusters set."""

import http.server
import threading

import pytest
from jax._src.clusters import cloud_tpu_cluster

from alae_jax.errors import UserError
from alae_jax.training import joining
from alae_jax.training.joining import Place

SLURM = {
  'SLURM_JOB_ID': '5000',
  'SLURM_STEP_NODELIST': 'node[001-004]',
  'SLURM_NTASKS': '4',
  'SLURM_PROCID': '3',
  'SLURM_LOCALID': '1',
}
OPEN_MPI = {
  'OMPI_MCA_orte_hnp_uri': '1531576320.0;tcp://10.96.0.1,10.148.0.1:34911',
  'OMPI_COMM_WORLD_SIZE': '2',
  'OMPI_COMM_WORLD_RANK': '1',
  'OMPI_COMM_WORLD_LOCAL_RANK': '0',
}


@pytest.fixture
def set_variables(monkeypatch):
  def set_all(variables):
    for name, value in variables.items():
      monkeypatch.setenv(name, value)

  return set_all


@pytest.fixture
def on_a_tpu(monkeypatch):
  monkeypatch.setattr(cloud_tpu_cluster, 'running_in_cloud_tpu_vm', True)


METADATA = {
  'agent-worker-number': '2',
  'worker-network-endpoints': 'a:1:127.0.0.1,b:2:10.0.0.2,c:3:10.0.0.3',
  'tpu-env': "ACCELERATOR_TYPE: 'v5litepod-16'\nZONE: 'here'",
}


class Metadata(http.server.BaseHTTPRequestHandler):
  """What Google's cloud tells a machine of itself."""

  def do_GET(self):
    self.send_response(200)
    self.end_headers()
    self.wfile.write(METADATA[self.path.rpartition('/')[2]].encode())

  def log_message(self, *_):
    pass


@pytest.fixture
def metadata(monkeypatch):
  with http.server.HTTPServer(('127.0.0.1', 0), Metadata) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv('GCE_METADATA_IP', f'127.0.0.1:{server.server_port}')
    yield
    server.shutdown()


def test_slurm(set_variables):
  set_variables(SLURM)
  assert joining.detect() == Place('node001', 61440 + 904, 4, 3, (1,))


def test_open_mpi(set_variables):
  set_variables(OPEN_MPI)
  place = joining.detect()
  assert place == Place('10.96.0.1', place.port, 2, 1, (0,))


def test_a_pod_of_kubernetes_engine(set_variables, on_a_tpu, metadata):
  set_variables(
    {'TPU_WORKER_HOSTNAMES': 'localhost,other', 'TPU_WORKER_ID': '1'}
  )
  assert joining.detect() == Place('localhost', 8482, 2, 1)


def test_slices_of_kubernetes_engine(set_variables, on_a_tpu):
  set_variables(
    {
      'TPU_WORKER_HOSTNAMES': 'a,b',
      'TPU_WORKER_ID': '1',
      'MEGASCALE_COORDINATOR_ADDRESS': 'localhost:8080',
      'MEGASCALE_NUM_SLICES': '2',
      'MEGASCALE_SLICE_ID': '1',
    }
  )
  assert joining.detect() == Place('localhost', 8482, 4, 3)


def test_a_pod_of_virtual_machines(monkeypatch, on_a_tpu, metadata):
  monkeypatch.delenv('TPU_SKIP_MDS_QUERY', raising=False)  # jax sets it here
  assert joining.detect() == Place('127.0.0.1', 8482, 3, 2)


@pytest.mark.parametrize(
  ('variables', 'said'),
  [
    ({}, 'no TPU pod, and no job of Slurm or Open MPI'),
    (
      {'SLURM_JOB_ID': '1', 'SLURM_NTASKS': '2'},
      'SLURM_JOB_ID is set, but not SLURM_STEP_NODELIST, SLURM_PROCID, '
      'SLURM_LOCALID: start it with srun',
    ),
    (SLURM | {'SLURM_PROCID': '4'}, 'process 4 of 4'),
    (SLURM | {'SLURM_NTASKS': 'four'}, "invalid literal .* 'four'"),
    (
      {'OMPI_COMM_WORLD_SIZE': '2', 'OMPI_COMM_WORLD_RANK': '1'},
      r'I is \$OMPI_COMM_WORLD_RANK',
    ),
    (
      {'OMPI_MCA_orte_hnp_uri': '1.0;tcp://h:1'},
      'is set, but not OMPI_COMM_WORLD_SIZE',
    ),
    ({'KUBERNETES_SERVICE_HOST': 'x'}, r'I is \$JOB_COMPLETION_INDEX'),
  ],
)
def test_what_is_missing_is_told_in_a_line(set_variables, variables, said):
  set_variables(variables)
  with pytest.raises(UserError, match=said) as refused:
    joining.detect()
  assert 'give HOST:PORT,N,I' in str(refused.value)
  assert '\n' not in str(refused.value)


def test_a_pod_that_lacks_a_number_is_told_of(set_variables, on_a_tpu):
  set_variables({'TPU_WORKER_HOSTNAMES': 'localhost,other'})
  with pytest.raises(UserError, match='but not TPU_WORKER_ID'):
    joining.detect()


def test_an_address_is_read(set_variables):
  assert joining.read('h:1234,4,3') == Place('h', 1234, 4, 3)
  assert joining.read('[::1]:1234,4,3') == Place('::1', 1234, 4, 3)
  set_variables(SLURM)  # where each process has an accelerator of its own
  assert joining.read('h:1234,4,3') == Place('h', 1234, 4, 3, (1,))
