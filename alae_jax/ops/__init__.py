"""Array operations without parameters: convolutions and resampling, NHWC."""
