"""The files that feature networks' weights are published in, and their sums."""

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Sequence

import requests
from etils import epath

from alae_jax import progress, storage
from alae_jax.errors import UserError

_CHUNK = 1_000_000
_SECONDS = 30  # without an answer


@dataclasses.dataclass(frozen=True)
class File:
  """A published file.

  Attributes:
    url: where it is; ends with its name.
    sha256: of what it holds.
  """

  url: str
  sha256: str

  @property
  def name(self) -> str:
    """What it is called."""
    return self.url.rpartition('/')[2]


_TORCH_FIDELITY = 'https://github.com/toshas/torch-fidelity/releases/download'
_INCEPTION = '6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2'
_HEADS = 'a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868'

# The parts that each network is made of, and the files that a part may come
# from. The first of them is downloaded.
NETWORKS: dict[str, tuple[tuple[File, ...], ...]] = {
  'inception': (
    (
      File(
        'https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/'
        'pt_inception-2015-12-05-6726825d.pth',
        _INCEPTION,
      ),
      File(
        f'{_TORCH_FIDELITY}/v0.2.0/weights-inception-2015-12-05-6726825d.pth',
        _INCEPTION,
      ),
      File(
        'https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/'
        'metrics/inception-2015-12-05.pt',
        'f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4',
      ),
    ),
  ),
  'lpips': (
    (
      File(
        'https://download.pytorch.org/models/vgg16-397923af.pth',
        '397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0',
      ),
    ),
    (
      File(
        'https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/'
        'master/lpips/weights/v0.1/vgg.pth',
        _HEADS,
      ),
      File(f'{_TORCH_FIDELITY}/v0.2.0/weights-vgg16-lpips.pth', _HEADS),
    ),
  ),
}


def names_of(name: str) -> str:
  """The files that a network is made of, for a message."""
  return ' and '.join(part[0].name for part in NETWORKS[name])


def lying(
  part: Sequence[File], folders: Iterable[epath.Path]
) -> epath.Path | None:
  """A file of a part that lies in one of some folders, if there is one.

  Raises:
    UserError: one has its name and holds something else.
  """
  for folder in folders:
    for file in part:
      path = folder / file.name
      if path.exists():
        _refuse_other(path, sha256_of(path), file.sha256, 'remove it')
        return path
  return None


def download(file: File, folder: epath.Path, place: epath.Path) -> epath.Path:
  """Fetches a file; it takes its name when it is known to be the published one.

  Args:
    file: to fetch.
    folder: to write in, where nobody else does.
    place: where a user may put it instead, for messages.

  Raises:
    UserError: it can't be had, or is not the published one.
  """
  folder.mkdir(parents=True, exist_ok=True)
  advice = f'get {file.name} elsewhere and put it in {place}'
  partial = folder / f'{file.name}.partial'
  try:
    digest = _fetch(file, partial)
    _refuse_other(file.url, digest, file.sha256, advice)
    return partial.replace(folder / file.name)
  except requests.RequestException as error:
    why = type(error).__name__
    if error.response is not None:
      why = f'HTTP status {error.response.status_code}'
    raise UserError(f'cannot download {file.url} ({why}): {advice}') from error
  finally:
    partial.unlink(missing_ok=True)


def sha256_of(path: epath.Path) -> str:
  """Of a file, hexadecimal."""
  storage.require_file(path)
  digest = hashlib.sha256()
  with path.open('rb') as file:
    while chunk := file.read(_CHUNK):
      digest.update(chunk)
  return digest.hexdigest()


def check_sum(path: epath.Path) -> str:
  """The SHA-256 of a file, which its name may begin to tell.

  PyTorch's hub calls a file NAME-XXXXXXXX.pth by the first eight digits.

  Raises:
    UserError: the name tells another, or there is no such file.
  """
  digest = sha256_of(path)
  told = re.search(r'-([0-9a-f]{8})\.pth?$', path.name)
  if told:
    _refuse_other(path, digest, told[1], 'download it again')
  return digest


def _fetch(file: File, target: epath.Path) -> str:
  """Writes what a server sends, and returns its SHA-256."""
  digest = hashlib.sha256()
  # As it is: the length that is told would be that of something packed.
  headers = {'Accept-Encoding': 'identity'}
  with (
    requests.get(
      file.url, headers=headers, stream=True, timeout=_SECONDS
    ) as answer,
    target.open('wb') as out,
  ):
    answer.raise_for_status()
    size = int(answer.headers.get('Content-Length', 0))
    chunks = answer.iter_content(_CHUNK)
    title = f'downloading {file.name}'
    for chunk in progress.over(chunks, title, size // _CHUNK or None, 'MB'):
      digest.update(chunk)
      out.write(chunk)
  return digest.hexdigest()


def _refuse_other(
  what: epath.PathLike, found: str, wanted: str, advice: str
) -> None:
  """Raises UserError where a SHA-256 does not begin as it should."""
  if not found.startswith(wanted):
    raise UserError(
      f'{what} is not the published file: its SHA-256 begins with {found[:8]}, '
      f'not {wanted[:8]}: {advice}'
    )
