"""The trainer: step, loop, and what happens around them."""
