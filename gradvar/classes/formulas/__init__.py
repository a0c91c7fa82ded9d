"""Formulas behind the built-in classes: Fourier coefficients, spheres, Gram entries."""
