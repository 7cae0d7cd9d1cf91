"""An exported folder on the Hugging Face hub, for others to load."""

import contextlib
import dataclasses
import os
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from alae_jax import __version__, progress, storage
from alae_jax.errors import UserError
from alae_jax.formats import exporters
from alae_jax.runs import hub
from alae_jax.runs.hub_address import Address, parse

_BAD_REQUEST = 400
_LICENSES = 'huggingface.co/docs/hub/repositories-licenses'


@dataclasses.dataclass(frozen=True)
class Target:
  """A repository that may be pushed to.

  Attributes:
    address: of it.
    private: whether it is made for its owner alone, if it has to be made.
    head: the commit that it was at when it was looked at; None where it has to
      be made.
  """

  address: Address
  private: bool
  head: str | None


def prepare(
  name: str,
  files: Collection[str],
  card: str,
  private: bool = False,
  overwrite: bool = False,
) -> Target:
  """Refuses what the hub would, before there is work.

  Args:
    name: hf://USER/NAME.
    files: that will be there, by name.
    card: the first lines of README.md, see `model_card.front`.
    private: whether a repository that has to be made is for its owner alone.
    overwrite: whether files that are there may be replaced.

  Raises:
    UserError: it is no address, nobody is logged in or not who may write
      there, a file would be replaced, or the hub doesn't take the card.
  """
  address = parse(name)
  if address.revision:
    raise UserError(
      f'push {name}: a push makes a commit of its own: leave out '
      f'@{address.revision}'
    )
  api = _client()
  with hub.refusals(address):
    who = api.whoami()
    there = _look(api, address)
  if there is None:
    _refuse_stranger(address, who)
  else:
    with hub.refusals(address):
      api.auth_check(address.repository, write=True)
    if private and not there.private:
      raise UserError(f'private: {address} is there already, and public')
    _refuse_files(address, there, files, overwrite)
  _check_card(api, address, card)
  return Target(address, private, None if there is None else there.sha)


def push(target: Target, paths: Sequence[str]) -> tuple[Address, str]:
  """Uploads files in one commit, so that half of them is never seen.

  What an upload that broke off has brought there isn't uploaded again.

  Args:
    target: see `prepare`.
    paths: of the files, local or remote.

  Returns:
    The address of the commit, and its page.

  Raises:
    UserError: the hub doesn't take them, or can't be reached.
  """
  api, address = _client(), target.address
  operation = hub.import_client().CommitOperationAdd
  files = [storage.locate(path) for path in paths]
  size = sum(path.stat().length for path in files) / 1e6
  what = f'uploading {len(files)} files, {size:,.1f} MB, to {address}'
  with hub.refusals(address), progress.telling(what), _no_bars_in_a_log():
    if target.head is None:
      api.create_repo(address.repository, private=target.private)
    commit = api.create_commit(
      address.repository,
      [
        # The client shows how far it is with a file, and not with bytes.
        operation(
          path.name,
          path.read_bytes() if storage.is_remote(path) else os.fspath(path),
        )
        for path in files
      ],
      commit_message=f'Export by alae_jax {__version__}',
      parent_commit=target.head,
    )
  return dataclasses.replace(address, revision=commit.oid), commit.commit_url


@contextlib.contextmanager
def _no_bars_in_a_log() -> Iterator[None]:
  """Has the client draw no bars where it would write them one below another."""
  client = hub.import_client()
  utils = client.utils
  asked_for = client.constants.HF_HUB_DISABLE_PROGRESS_BARS is not None
  if progress.draws_bars() or asked_for or utils.are_progress_bars_disabled():
    yield
    return
  utils.disable_progress_bars()
  try:
    yield
  finally:
    utils.enable_progress_bars()


def _client() -> Any:
  return hub.import_client().HfApi(
    library_name='alae_jax', library_version=__version__
  )


def _look(api: Any, address: Address) -> Any:
  """What the hub says of a repository; None where there is none."""
  errors = hub.import_client().errors
  try:
    return api.model_info(address.repository)
  except errors.GatedRepoError:
    raise
  except errors.RepositoryNotFoundError:
    return None


def _refuse_stranger(address: Address, who: dict[str, Any]) -> None:
  """Refuses to make a repository that one may not, as far as can be known.

  Args:
    address: of the repository.
    who: what the hub says of the one who is logged in.
  """
  token = who.get('auth', {}).get('accessToken', {})
  if token.get('role') == 'read':
    raise UserError(
      f'{address}: the token of {who["name"]} may only read: make one that '
      'may write on huggingface.co/settings/tokens'
    )
  names = [who['name'], *(one['name'] for one in who.get('orgs', ()))]
  owner = address.repository.partition('/')[0]
  # Of a token with a choice of rights the hub may not tell all organizations.
  known = owner.lower() in [name.lower() for name in names]
  if token.get('role') == 'write' and not known:
    raise UserError(
      f'{address}: {who["name"]} is logged in, and {owner} is no organization '
      f'of theirs: name one of {", ".join(names)}'
    )


def _refuse_files(
  address: Address, there: Any, files: Collection[str], overwrite: bool
) -> None:
  """Refuses a repository where a file would be replaced, or would mislead."""
  names = {file.rfilename for file in there.siblings or ()}
  for name in sorted(names.intersection(files)):
    if not overwrite:
      raise UserError(
        f'{address} holds {name} already: name another repository, or allow to '
        'overwrite it'
      )
  for name in exporters.left_over(names, files):
    raise UserError(
      f'{address} holds {name} of an earlier export, which would stay as it '
      'is: name its format too, or another repository'
    )


def _check_card(api: Any, address: Address, card: str) -> None:
  """Has the hub look at the first lines of README.md.

  Raises:
    UserError: it does not know the licence, or doesn't take something else.
  """
  utils = hub.import_client().utils
  with hub.refusals(address):
    # RepoCard.validate asks huggingface.co, whatever HF_ENDPOINT says.
    answer = utils.get_session().post(
      f'{api.endpoint}/api/validate-yaml',
      json={'repoType': 'model', 'content': card},
    )
    if answer.status_code != _BAD_REQUEST:
      utils.hf_raise_for_status(answer)
      return
  raise UserError(
    f'license: the hub refuses it, and {_LICENSES} has its list: '
    f'{" ".join(answer.text.split())}'
  )
