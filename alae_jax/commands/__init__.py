"""The verbs of `alae` that work on a finished or running run."""
