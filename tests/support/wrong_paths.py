"""Paths that a user may give by mistake, and what each is told."""

import os
import pathlib
import socket

import numpy as np

from tests.support.example_data import write_images

HOMELESS = '~nobody_has_this_name/x'

# Refused wherever a path is given, before anything is looked at.
NO_PATHS = {
  '': 'is no path',
  '   ': 'is no path',
  '\t\n': 'is no path',
  'a\0b': 'holds a NUL character',
  'http://example.org/x': 'must begin with gs://BUCKET',
  'https://example.org/x.png': 'must begin with gs://BUCKET',
  's3://bucket/x': 'must begin with gs://BUCKET',
  'file:///tmp/x': 'must begin with gs://BUCKET',
  'hdfs://x': 'must begin with gs://BUCKET',
  '://': 'must begin with gs://BUCKET',
  'gs://': 'must begin with gs://BUCKET',
  'gs:///x': 'must begin with gs://BUCKET',
  HOMELESS: 'there is no user nobody_has_this_name',
  'x' * 300: 'File name too long',
  'x/' * 3000: 'File name too long',
  'text.txt/below': '',
  'loop/below': '',
}

# Not there; where a file or folder is to be read.
MISSING = {
  'missing': 'missing',
  'missing/below': 'missing/below',
  'two\nlines': r'two\nlines',
  '\x1b[31mred': r'\x1b[31mred',
  'bell\x07': r'bell\x07',
  'no\udcfftext': r'no\udcfftext',
  '\u202egnp.x': r'\u202egnp.x',
  './~': '~',
  '~/missing_here': 'missing_here',
  'loop': 'loop',
  'dangling': 'dangling',
}

# There, and neither a file nor a folder.
SPECIAL = {'pipe': 'pipe', 'socket': 'socket', '/dev/zero': '/dev/zero'}

FILES = {'text.txt': 'text.txt', 'empty.txt': 'empty.txt'}
FOLDERS = {'empty': 'empty', 'deep': 'deep', 'deep/er': 'deep/er'}


def make(folder: pathlib.Path) -> None:
  """Makes what the paths above name, and some things that are in order."""
  (folder / 'text.txt').write_text('hello\n')
  (folder / 'empty.txt').touch()
  (folder / 'empty').mkdir()
  (folder / 'deep' / 'er').mkdir(parents=True)
  os.symlink('loop', folder / 'loop')
  os.symlink('nowhere', folder / 'dangling')
  os.mkfifo(folder / 'pipe')
  with socket.socket(socket.AF_UNIX) as made:
    # The name of a socket must be short.
    here = os.open('.', os.O_RDONLY)
    os.chdir(folder)
    made.bind('socket')
    os.chdir(here)
    os.close(here)
  write_images(folder / 'photos', 4)
  np.save(folder / 'ones.npy', np.ones(6))
