"""`python -m alae_jax VERB`, the same as `alae VERB`."""

from alae_jax.cli import run

run()
