"""The optimizer of all four networks."""

from typing import Any

import optax

from alae_jax.models.networks import Params


def adam(
  learning_rate: float, beta2: float = 0.99
) -> optax.GradientTransformation:
  """Bias-corrected Adam with beta1 = 0 and epsilon = 1e-8 (paper section 5).

  Without a first moment Adam is RMSProp with bias correction, which keeps half
  as much state.
  """
  return optax.chain(
    optax.scale_by_rms(
      decay=beta2, eps=1e-8, eps_in_sqrt=False, bias_correction=True
    ),
    optax.scale(-learning_rate),
  )


def init_optimizer(params: Params) -> dict[str, Any]:
  """A fresh optimizer state; its shape does not depend on the rate."""
  return {name: adam(0.0).init(tree) for name, tree in params.items()}
