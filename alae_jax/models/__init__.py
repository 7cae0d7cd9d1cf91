"""The four networks of ALAE as pure functions of their parameters."""
