"""What is taken for a checkpoint by mistake is called by its name."""

import gzip
import io
import json
import pickle
import re
import struct
import tarfile

import numpy as np
import PIL.Image
import pytest

from alae_jax.formats import file_kinds


def image(kind):
  buffer = io.BytesIO()
  PIL.Image.new('RGB', (4, 4)).save(buffer, kind)
  return buffer.getvalue()


def array():
  buffer = io.BytesIO()
  np.save(buffer, np.ones(3))
  return buffer.getvalue()


def tar():
  buffer = io.BytesIO()
  with tarfile.open(fileobj=buffer, mode='w') as file:
    file.addfile(tarfile.TarInfo('model.pth'))
  return buffer.getvalue()


def safetensors():
  header = json.dumps({'w': {'dtype': 'F32', 'shape': [1]}}).encode()
  return struct.pack('<Q', len(header)) + header + bytes(4)


KINDS = {
  'nothing': (b'', 'an empty file: download it again'),
  'Google Drive': (
    b'<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title>',
    'a web page.*: download it again, in a browser',
  ),
  'a page': (b'\n  <HTML lang="en">', 'a web page'),
  'a page with a mark': (b'\xef\xbb\xbf<html>', 'a web page'),
  'an error of a bucket': (
    b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code>",
    'an XML text.*: download it again',
  ),
  'git-lfs': (
    b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n',
    'a git-lfs pointer to the file: run `git lfs pull`',
  ),
  'StyleGAN': (
    b'\x80\x03cdnnlib.tflib.network\nNetwork\nq\x00)\x81q\x01}q\x02(X\x07',
    "NVIDIA's StyleGAN, which has no encoder: give a checkpoint of StyleALAE",
  ),
  'StyleGAN2-ADA': (
    b'\x80\x03}q\x00(X\x01\x00\x00\x00Gq\x01ctorch_utils.persistence\n_recon',
    "NVIDIA's StyleGAN, which has no encoder",
  ),
  'a pickle': (pickle.dumps({'a': 1}), 'a Python pickle'),
  'safetensors': (safetensors(), 'a safetensors file$'),
  'ONNX': (b'\x08\x07\x12\x07pytorch\x1a\x032.1', 'an ONNX model'),
  'npy': (array(), 'a NumPy array'),
  'TFRecord': (struct.pack('<QI', 300, 0xA1B2C3D4) + b'\n\xa9\x02', 'TFRecord'),
  'PNG': (image('PNG'), 'a PNG image'),
  'JPEG': (image('JPEG'), 'a JPEG image'),
  'WebP': (image('WEBP'), 'a WebP image'),
  'JSON': (b'{"model": {"levels": 9}}', 'a JSON text'),
  'a text': ('# Modèle\n'.encode() * 1000, 'a text file'),
  'gzip': (gzip.compress(b'x'), r'a packed file \(gzip\): unpack it'),
  'tar': (tar(), 'a tar file: unpack it'),
  'zeros': (bytes(5000), 'begins with zeros: download it again'),
  'unknown': (b'\x01\x02\x03\x04' * 100, '^$'),
  'a brace and no text': (b'{\xff\xfe\x00', '^$'),
}


@pytest.mark.parametrize('kind', KINDS)
def test_a_file_is_called_what_it_is(kind):
  content, said = KINDS[kind]
  words = file_kinds.describe(content[: file_kinds.HEAD])
  assert re.search(said, words), words


def test_a_text_may_be_cut_within_a_letter():
  assert file_kinds.describe('é'.encode() * 10 + b'\xc3') == 'a text file'


@pytest.mark.parametrize(
  ('names', 'said'),
  [
    (['w.npy', 'mean.npy'], 'a file of NumPy arrays (.npz)'),
    (['photos/1.JPG', 'read.me'], 'a zip file of images'),
    (['dir/model_194.pth'], 'unpack it, and give the .pth file inside'),
    (['a.txt'], 'a zip file of other things'),
    ([], 'a zip file of other things'),
  ],
)
def test_a_zip_file_is_called_after_what_is_in_it(names, said):
  assert said in file_kinds.describe_zip(names)


@pytest.mark.parametrize(
  ('names', 'said'),
  [
    (['config.json', 'checkpoints', 'log.txt'], 'a run already: it needs no'),
    (['data.pkl', 'data', 'version'], 'unpacked: give the file that it came'),
    (['a.txt', 'm_1.pth', 'm_2.pth'], 'a file in it, such as m_2.pth'),
    ([], 'a folder: name a file'),
  ],
)
def test_a_folder_is_called_after_what_is_in_it(names, said):
  assert said in file_kinds.describe_folder(names)
