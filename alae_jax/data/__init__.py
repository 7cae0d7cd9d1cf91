"""From image files to batches: TFDS builders, sources, the Grain pipeline."""
