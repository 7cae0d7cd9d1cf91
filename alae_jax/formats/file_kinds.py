"""What a file is that was given for a checkpoint, told by how it begins."""

import codecs
import os
import re
from collections.abc import Collection

HEAD = 4096  # bytes that are enough to tell

_AGAIN = 'download it again'
_UNPACK = 'unpack it, and give the .pth file inside'
_PACKED = 'a packed file'

# (how it begins, what it is, what to do). The first that matches counts.
_STARTS: tuple[tuple[bytes, str, str], ...] = (
  (
    rb'\s*(?i:<!doctype html|<html|<head)',
    'a web page, such as Google Drive shows when its quota is used up or it '
    'can not scan for viruses',
    'download it again, in a browser',
  ),
  (rb'\s*<(\?xml|Error)', 'an XML text, such as an error of a server', _AGAIN),
  (
    rb'version https://git-lfs',
    'a git-lfs pointer to the file',
    'run `git lfs pull` where it lies',
  ),
  (
    rb'\x80(?s:.)*(dnnlib|torch_utils\.persistence)',
    "a pickle of NVIDIA's StyleGAN, which has no encoder",
    'give a checkpoint of StyleALAE',
  ),
  (rb'\x80[\x02-\x05]', 'a Python pickle that torch.save did not write', ''),
  (rb'.{4}\0{4}\{"', 'a safetensors file', ''),
  (rb'\x08[\x01-\x20][\x12\x1a]', 'an ONNX model', ''),
  (rb'\x93NUMPY', 'a NumPy array (.npy)', ''),
  (rb'[^\0].{3}\0{4}.{4}\n', 'a TFRecord file', ''),
  (rb'\x89PNG', 'a PNG image', ''),
  (rb'\xff\xd8\xff', 'a JPEG image', ''),
  (rb'GIF8', 'a GIF image', ''),
  (rb'RIFF.{4}WEBP', 'a WebP image', ''),
  (rb'\x89HDF', 'an HDF5 file', ''),
  (rb'GGUF', 'a GGUF file', ''),
  (rb'%PDF', 'a PDF', ''),
  (rb'PK\x05\x06', 'an empty zip file', _AGAIN),
  (rb'\x1f\x8b', f'{_PACKED} (gzip)', _UNPACK),
  (rb'BZh', f'{_PACKED} (bzip2)', _UNPACK),
  (rb'\xfd7zXZ', f'{_PACKED} (xz)', _UNPACK),
  (rb'\x28\xb5\x2f\xfd', f'{_PACKED} (zstd)', _UNPACK),
  (rb'7z\xbc\xaf', f'{_PACKED} (7z)', _UNPACK),
  (rb'Rar!', f'{_PACKED} (rar)', _UNPACK),
  (rb'.{257}ustar', 'a tar file', _UNPACK),
  (rb'\0{64}', 'a file that begins with zeros', _AGAIN),
  (rb'\s*[{\[]', 'a JSON text', ''),
)
_IMAGES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp', '.gif')


def describe(head: bytes) -> str:
  """What a file is that is not a checkpoint, and what to do, for a message.

  Args:
    head: its first HEAD bytes, or all of it.

  Returns:
    'a web page: download it again', or '' where it doesn't tell.
  """
  head = head.removeprefix(codecs.BOM_UTF8)
  if not head:
    return f'an empty file: {_AGAIN}'
  for pattern, words, advice in _STARTS:
    if re.match(pattern, head, re.DOTALL):
      if words == 'a JSON text' and not _is_text(head):
        continue
      return f'{words}: {advice}' if advice else words
  return 'a text file' if _is_text(head) else ''


def describe_zip(names: Collection[str]) -> str:
  """What a zip file is that holds files of these names and no checkpoint."""
  endings = [os.path.splitext(name)[1].lower() for name in names]
  if endings and all(ending == '.npy' for ending in endings):
    return 'a file of NumPy arrays (.npz)'
  if any(ending in _IMAGES for ending in endings):
    return 'a zip file of images'
  if any(ending in ('.pth', '.pt', '.pkl') for ending in endings):
    return f'a zip file with other files in it: {_UNPACK}'
  return 'a zip file of other things'


def describe_folder(names: Collection[str]) -> str:
  """What a folder with these names in it is, and what to do instead."""
  if {'config.json', 'checkpoints'} <= set(names):
    return 'a folder of a run already: it needs no import'
  if 'data.pkl' in names:
    return 'a folder, a checkpoint unpacked: give the file that it came from'
  files = sorted(name for name in names if name.endswith(('.pth', '.pt')))
  inside = f' in it, such as {files[-1]}' if files else ''
  return f'a folder: name a file{inside}'


def _is_text(head: bytes) -> bool:
  try:
    text = codecs.getincrementaldecoder('utf-8')().decode(head)
  except UnicodeDecodeError:
    return False
  return all(letter.isprintable() or letter.isspace() for letter in text)
