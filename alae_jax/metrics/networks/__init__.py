"""Feature networks of others, whose weights are published files."""
