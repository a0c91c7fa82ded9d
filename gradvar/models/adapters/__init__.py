"""Models of other libraries: functions, PyTorch, JAX."""
