"""Files as the weights of feature networks are published, of seeded numbers."""

import warnings


def write_program(module, path):
  """A module as a TorchScript archive, and the program that it became."""
  import torch

  with warnings.catch_warnings():
    # PyTorch would have programs written with torch.export; these are old.
    warnings.simplefilter('ignore', DeprecationWarning)
    program = torch.jit.script(module.eval())
    torch.jit.save(program, str(path))
  return program
