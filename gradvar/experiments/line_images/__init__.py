"""Tuples of images of lines, the networks that score them, and the signal in their gradient."""
