"""Sweeps: many problems, their records, and the file they are kept in."""
