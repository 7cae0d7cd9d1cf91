"""The networks as ONNX files: from what JAX traces, operation by operation."""
