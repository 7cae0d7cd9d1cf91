"""What an exported folder is to those who have no alae_jax."""

import subprocess
import sys

import numpy as np


def run(script, folder, given, place):
  """Runs Python in a fresh process, with arrays to and fro.

  Args:
    script: reads the arrays of the file that is its first argument, and writes
      those of the file that is its second.
    folder: that it runs in.
    given: arrays by name.
    place: folder for both files.

  Returns:
    What it has written, by name.
  """
  files = [place / 'given.npz', place / 'made.npz']
  np.savez(files[0], **given)
  subprocess.run(
    [sys.executable, '-P', '-c', script, *files],
    cwd=folder,
    check=True,
    timeout=120,
  )
  return np.load(files[1])
