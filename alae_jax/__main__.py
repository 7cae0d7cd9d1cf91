"""`python -m alae_jax VERB`, the same as `alae VERB`."""

import sys

from alae_jax.cli import main

sys.exit(main())
