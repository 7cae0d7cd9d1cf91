"""Image files written byte by byte, as no library would write them."""

import struct
import zlib

import numpy as np


def png(width, height, bits, colours, rows, extra=b''):
  """A PNG of one IDAT; `rows` as they are compressed, `extra` chunks before."""
  ihdr = struct.pack('>IIBBBBB', width, height, bits, colours, 0, 0, 0)
  return (
    b'\x89PNG\r\n\x1a\n' + png_chunk(b'IHDR', ihdr) + extra
    + png_chunk(b'IDAT', zlib.compress(rows)) + png_chunk(b'IEND', b'')
  )  # fmt: skip


def png_chunk(kind, content):
  """A chunk of a PNG, with its sum."""
  crc = struct.pack('>I', zlib.crc32(kind + content))
  return struct.pack('>I', len(content)) + kind + content + crc


def png_of(pixels, extra=b''):
  """A PNG of uint8 or uint16 [H, W, 1 to 4]."""
  height, width, channels = pixels.shape
  big_endian = pixels.astype(pixels.dtype.newbyteorder('>'))
  rows = b''.join(b'\0' + row.tobytes() for row in big_endian)
  colours = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
  bits = 8 * pixels.dtype.itemsize
  return png(width, height, bits, colours, rows, extra)


def exif(orientation):
  """EXIF that tells an orientation and nothing else."""
  return (
    b'II*\0' + struct.pack('<IH', 8, 1)
    + struct.pack('<HHIHH', 274, 3, 1, orientation, 0) + bytes(4)
  )  # fmt: skip


def tiff(pixels, order='<', colours=2, planes=1, **tags):
  """A TIFF of one strip, or one a plane, after its directory.

  Args:
    pixels: [H, W, C] of any type.
    order: '<' or '>'.
    colours: 0: grey from white; 1: grey from black; 2: RGB; 5: CMYK.
    planes: 1: colours side by side; 2: one plane after another.
    **tags: more, such as t274=6.
  """
  height, width, channels = pixels.shape
  stored = pixels.astype(pixels.dtype.newbyteorder(order))
  strips = [stored] if planes == 1 else list(np.moveaxis(stored, 2, 0))
  data = b''.join(strip.tobytes() for strip in strips)
  of_one = len(data) // len(strips)
  kind = {'u': 1, 'i': 2, 'f': 3}[pixels.dtype.kind]
  values = {
    256: [width], 257: [height], 258: [8 * stored.itemsize] * channels,
    259: [1], 262: [colours], 273: [0] * len(strips), 277: [channels],
    278: [height], 279: [of_one] * len(strips), 284: [planes],
    339: [kind] * channels,
  }  # fmt: skip
  values |= {int(name[1:]): [value] for name, value in tags.items()}
  start = 8 + 2 + 12 * len(values) + 4
  after = start + sum(4 * len(v) for v in values.values() if len(v) > 1)
  values[273] = [after + i * of_one for i in range(len(strips))]
  entries, outside = b'', b''
  for tag in sorted(values):
    packed = struct.pack(f'{order}{len(values[tag])}I', *values[tag])
    entries += struct.pack(f'{order}HHI', tag, 4, len(values[tag]))
    if len(packed) > 4:
      entries += struct.pack(f'{order}I', start + len(outside))
      outside += packed
    else:
      entries += packed
  mark = b'II*\0' if order == '<' else b'MM\0*'
  header = mark + struct.pack(f'{order}IH', 8, len(values))
  return header + entries + bytes(4) + outside + data


def bmp_claiming(width, height):
  """A BMP's header alone."""
  return (
    b'BM' + struct.pack('<IHHI', 54, 0, 0, 54)
    + struct.pack('<IiiHHIIiiII', 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
  )  # fmt: skip


def webp_claiming(width, height):
  """A WebP whose canvas is large, and its picture nothing."""
  size = (width - 1).to_bytes(3, 'little') + (height - 1).to_bytes(3, 'little')
  body = b'VP8X' + struct.pack('<I', 10) + bytes(4) + size
  body += b'VP8L' + struct.pack('<I', 6) + b'\x2f' + bytes(5)
  return b'RIFF' + struct.pack('<I', len(body) + 4) + b'WEBP' + body


def tga_claiming(width, height, kind=2):
  """A TGA's header alone; kind 10 is run-length encoded."""
  return struct.pack(
    '<BBBHHBHHHHBB', 0, 0, kind, 0, 0, 0, 0, 0, width, height, 24, 0
  )
