"""The same images in every form that raw images come in.

Written by the forms' own libraries, or by hand; never by our readers' code.
"""

import io
import json
import struct
import tarfile
import zipfile

import google_crc32c
import numpy as np
import PIL.Image


def png(image):
  """Encodes uint8 [H, W, C]."""
  file = io.BytesIO()
  PIL.Image.fromarray(image.squeeze()).save(file, 'png')
  return file.getvalue()


def random_images(count=10, side=8, seed=0):
  """Returns uint8 [count, side, side, 3]."""
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (count, side, side, 3), np.uint8)


def names_of(images):
  """Returns 00.png …"""
  return [f'{i:02d}.png' for i in range(len(images))]


def write_folder(path, images):
  path.mkdir(parents=True)
  for name, image in zip(names_of(images), images, strict=True):
    (path / name).write_bytes(png(image))
  return path


def write_zip(path, images, compression=zipfile.ZIP_STORED, labels=None):
  """A zip as StyleGAN's tools write it."""
  with zipfile.ZipFile(path, 'w', compression) as archive:
    for name, image in zip(names_of(images), images, strict=True):
      archive.writestr(name, png(image))
    if labels is not None:
      given = list(zip(names_of(images), labels, strict=True))
      archive.writestr('dataset.json', json.dumps({'labels': given}))
  return path


def write_tar(path, images, labels=None):
  """A tar as WebDataset has it."""
  with tarfile.open(path, 'w') as archive:
    for i, (name, image) in enumerate(
      zip(names_of(images), images, strict=True)
    ):
      _add(archive, name, png(image))
      if labels is not None:
        _add(archive, name.replace('.png', '.cls'), str(labels[i]).encode())
  return path


def _add(archive, name, content):
  info = tarfile.TarInfo(name)
  info.size = len(content)
  archive.addfile(info, io.BytesIO(content))


def write_lmdb(path, images):
  import lmdb

  with (
    lmdb.open(str(path), map_size=1 << 26) as database,
    database.begin(write=True) as transaction,
  ):
    for name, image in zip(names_of(images), images, strict=True):
      transaction.put(name.encode(), png(image))
  return path


def write_parquet(path, images, labels=None, names=None, column='image'):
  """A table as hubs have it; several row groups."""
  import pyarrow
  import pyarrow.parquet

  rows = [
    {'bytes': png(image), 'path': name}
    for name, image in zip(names_of(images), images, strict=True)
  ]
  columns = {column: rows}
  features = {column: {'_type': 'Image'}}
  if labels is not None:
    columns['label'] = labels
    features['label'] = {'names': names, '_type': 'ClassLabel'}
  table = pyarrow.table(columns)
  about = json.dumps({'info': {'features': features}})
  table = table.replace_schema_metadata({'huggingface': about})
  pyarrow.parquet.write_table(table, path, row_group_size=4)
  return path


def varint(number):
  out = bytearray()
  while number > 127:
    out.append(number & 127 | 128)
    number >>= 7
  return bytes([*out, number])


def field(number, content):
  """A length-delimited field of protocol buffers."""
  return varint(number << 3 | 2) + varint(len(content)) + content


def example(features):
  """A tf.train.Example of {name: bytes, or a list of whole numbers}."""
  entries = b''
  for name, value in features.items():
    if isinstance(value, bytes):
      feature = field(1, field(1, value))
    else:
      feature = field(3, field(1, b''.join(map(varint, value))))
    entries += field(1, field(1, name.encode()) + field(2, feature))
  return field(1, entries)


def masked_crc(content):
  crc = google_crc32c.value(content)
  return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def record(content):
  """A record of a TFRecord file."""
  length = struct.pack('<Q', len(content))
  return (
    length
    + struct.pack('<I', masked_crc(length))
    + content
    + struct.pack('<I', masked_crc(content))
  )


def write_tfrecords(path, images):
  """A file as StyleGAN's tools write it: pixels, channels first."""
  with open(path, 'wb') as file:
    for image in images:
      channels_first = np.ascontiguousarray(np.moveaxis(image, 2, 0))
      features = {
        'shape': list(channels_first.shape), 'data': channels_first.tobytes(),
      }  # fmt: skip
      file.write(record(example(features)))
  return path


def write_npy(path, images):
  np.save(path, np.moveaxis(images, 3, 1))
  return path


WRITERS = {
  'folder': (write_folder, 'images'),
  'zip': (write_zip, 'images.zip'),
  'tar': (write_tar, 'images.tar'),
  'lmdb': (write_lmdb, 'images_lmdb'),
  'parquet': (write_parquet, 'images.parquet'),
  'tfrecords': (write_tfrecords, 'images-r03.tfrecords'),
  'numpy': (write_npy, 'images.npy'),
}


def write(form, folder, images):
  """Writes images in a form; returns the path."""
  function, name = WRITERS[form]
  return function(folder / name, images)
