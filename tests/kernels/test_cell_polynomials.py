"""Polynomials on the cells of a grid, against numpy's of each cell."""

import numpy as np
from numpy.testing import assert_allclose

from gradvar.kernels.cell_polynomials import DEGREE, on_cells


def test_each_point_has_the_polynomial_of_its_cell():
    rng = np.random.default_rng(0)
    table, width = rng.normal(size=(6, DEGREE + 1)), 0.35
    u = rng.random((7, 9)) * 6 * width
    u[0, :3] = 0.0, width, 5.999999 * width
    found = on_cells(table, width, u)
    assert found.shape == u.shape
    for value, at in zip(found.ravel(), u.ravel(), strict=True):
        cell = int(at / width)
        position = 2 * (at / width - cell) - 1
        assert_allclose(value, np.polynomial.Polynomial(table[cell])(position), rtol=1e-12, atol=1e-13)


def test_a_polynomial_that_is_cut_into_cells_is_itself():
    # (c + (t + 1)/2) w = u: u^3 on each cell in powers of t
    width = 0.5
    cells = [np.polynomial.Polynomial([(c + 0.5) * width, 0.5 * width]) ** 3 for c in range(4)]
    table = np.array([np.pad(p.coef, (0, DEGREE + 1 - p.coef.size)) for p in cells])
    u = np.linspace(0.0, 1.999, 57)[:, None].T[:, ::2]  # not contiguous
    assert_allclose(on_cells(table, width, u), u**3, rtol=1e-13, atol=1e-15)
