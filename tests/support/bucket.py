"""A bucket of Google Cloud Storage on this machine."""

import contextlib
import socket

import pytest
from gcp_storage_emulator.handlers import objects

_download = objects.download


def _download_with_generation(request, response, storage, *args, **kwargs):
  """What the emulator leaves out of its answer and TensorStore relies on."""
  _download(request, response, storage, *args, **kwargs)
  if response.status.value < 400:
    params = request.params
    stored = storage.get_file_obj(params['bucket_name'], params['object_id'])
    response['x-goog-generation'] = str(stored['generation'])


# Its routes hold the handlers that are there when they are imported.
objects.download = _download_with_generation
from gcp_storage_emulator import server  # noqa: E402


@contextlib.contextmanager
def serve():
  """Yields 'gs://NAME'; every client of this process finds the bucket there.

  Clients remember where the storage is, so one process serves once.
  """
  with socket.socket() as free:
    free.bind(('localhost', 0))
    port = free.getsockname()[1]
  address = f'http://localhost:{port}'
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('STORAGE_EMULATOR_HOST', address)  # gcsfs, google-cloud
    patch.setenv('TENSORSTORE_GCS_HTTP_URL', address)
    patch.setenv('GOOGLE_AUTH_TOKEN_FOR_TESTING', 'any')  # TensorStore
    # It would ask Google, which kind of bucket this is.
    patch.setenv('GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT', 'false')
    with server.create_server(
      'localhost', port, in_memory=True, default_bucket='bucket'
    ):
      yield 'gs://bucket'
