"""Unbiased estimates from samples of inputs, or of inputs and members."""
