"""Models on the Hugging Face hub, by way of its client's cache on this disk.

The client, huggingface_hub, knows the credentials (`hf auth login`, HF_TOKEN),
the cache (HF_HOME) and whether to stay offline (HF_HUB_OFFLINE).
"""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator
from types import ModuleType

from etils import epath

from alae_jax import __version__
from alae_jax.errors import OUT_OF_SPACE, UserError, reason
from alae_jax.runs.hub_address import Address

LOG_IN = 'log in with `hf auth login`, or set HF_TOKEN'


def import_client() -> ModuleType:
  """The package huggingface_hub, with the modules that are used here.

  Raises:
    UserError: it is not installed.
  """
  try:
    import huggingface_hub
    import huggingface_hub.constants
    import huggingface_hub.errors
    import huggingface_hub.utils
  except ImportError as error:
    raise UserError(
      "the hub needs huggingface_hub: pip install 'alae_jax[hub]'"
    ) from error
  # It writes its warnings itself, and the root's handler would do so again.
  logging.getLogger(huggingface_hub.__name__).propagate = False
  return huggingface_hub


def pin(address: Address) -> Address:
  """The address of the commit that a branch or a tag is at now.

  Without a network it is the commit that it was at when it was last asked for,
  and the client says so. An address of a commit asks nobody.

  Raises:
    UserError: there is no such repository or revision, or it can't be reached.
  """
  client = import_client()
  with refusals(address):
    revision = client.resolve_revision(
      address.repository, revision=address.revision
    )
  return dataclasses.replace(address, revision=revision.resolved)


def fetch(address: Address, name: str) -> epath.Path:
  """A file of a commit on this machine; files of one commit share a folder.

  A download that breaks off goes on where it was, some times.

  Args:
    address: of a commit, see `pin`.
    name: of the file.

  Raises:
    UserError: there is no such file, or it can't be had.
    OSError: this machine's disk is full, or can't be written.
  """
  client = import_client()
  with refusals(address):
    try:
      path = client.hf_hub_download(
        address.repository,
        name,
        revision=address.revision,
        library_name='alae_jax',
        library_version=__version__,
      )
    except client.errors.RemoteEntryNotFoundError as error:
      raise UserError(
        f'{address} holds no model that alae_jax reads: it has no {name}'
      ) from error
  return epath.Path(path)


@contextlib.contextmanager
def refusals(address: Address) -> Iterator[None]:
  """Tells in one line what the hub, the network or the disk refuse.

  Raises:
    UserError: instead of what the client raises.
    OSError: of this machine's disk.
  """
  client = import_client()
  errors = client.errors
  try:
    yield
  except UserError:
    raise
  except errors.GatedRepoError as error:
    raise UserError(
      f'{address} is open to those whom its owners admit: ask on its page, and '
      f'{LOG_IN}'
    ) from error
  except errors.RepositoryNotFoundError as error:
    raise UserError(
      f'{address}: there is no such repository, or it is private: {LOG_IN}'
    ) from error
  except errors.RevisionNotFoundError as error:
    raise UserError(
      f'{address}: the repository has no such branch, tag or commit; a commit '
      'is written with all of its 40 digits'
    ) from error
  except errors.LocalTokenNotFoundError as error:
    raise UserError(f'{address}: nobody is logged in: {LOG_IN}') from error
  except (
    errors.RevisionResolutionError,
    errors.LocalEntryNotFoundError,
  ) as error:
    cause = error.__cause__ or error
    if 400 <= _status(cause) < 500:
      raise UserError(_answered(address, cause)) from error
    raise UserError(
      f'{address} cannot be reached, and is not in the cache: {reason(cause)}'
    ) from error
  except OSError as error:
    if error.errno is None or isinstance(error, ConnectionError | TimeoutError):
      raise UserError(_failed(address, error)) from error
    # Of this machine's disk, which numbers its errors.
    room = '; HF_HOME names another place' * (error.errno in OUT_OF_SPACE)
    raise OSError(
      error.errno,
      f'{error.strerror}{room}',
      error.filename or client.constants.HF_HUB_CACHE,
    ) from error
  except Exception as error:  # of the network, in the client's words
    raise UserError(_failed(address, error)) from error


def _status(error: BaseException) -> int:
  """The HTTP status of an answer that is an error; 0 for other errors."""
  return getattr(getattr(error, 'response', None), 'status_code', 0)


def _failed(address: Address, error: BaseException) -> str:
  """What to say of an exchange that brought nothing, or an error."""
  if _status(error):
    return _answered(address, error)
  why = reason(error.__cause__ or error)
  return f'{address}: the exchange with the hub failed: {why}'


def _answered(address: Address, error: BaseException) -> str:
  """What to say of an answer that is an error."""
  told = getattr(error, 'server_message', None) or reason(error)
  told = ' '.join(told.split())
  if _status(error) in (401, 403):
    return f'{address}: the hub refuses these credentials ({told}): {LOG_IN}'
  return f'{address}: the hub answers: {told}'
