"""How the process of a command ends."""

import os
import sys
import threading
from typing import NoReturn

from alae_jax.errors import ABANDONED


def leave(status: int) -> NoReturn:
  """Ends the process with an exit status, as `sys.exit` does.

  A thread that compiles what is no longer needed may have minutes to go.
  Python would wait for it; so the process ends at once where there is one.
  """
  if any(thread.name == ABANDONED for thread in threading.enumerate()):
    import jax

    # As jax does at the end of Python: a job's processes wait for one another.
    jax.distributed.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
  sys.exit(status)
