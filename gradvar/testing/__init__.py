"""Tools for tests: :mod:`gradvar.testing.reference` is the slow, obviously right version of the library."""
