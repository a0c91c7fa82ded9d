"""Compiled loops over plain arrays: the only modules that import Numba, and only when one is needed."""
