"""Products of signs by tables, against matrix products."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradvar.kernels.bits import pack
from gradvar.kernels.sign_products import add_sign_products


@pytest.mark.parametrize(("m", "r", "n", "s"), [(1, 1, 1, 1), (3, 2, 7, 5), (2, 3, 64, 64), (2, 1, 100, 67)])
def test_it_is_the_product_and_is_added(m: int, r: int, n: int, s: int):
    rng = np.random.default_rng(0)
    labels, points = (np.where(rng.random((size, n)) < 0.4, -1.0, 1.0) for size in (m, r))
    wide, total = rng.normal(size=(n, s)), rng.normal(size=(m, r, s))
    expected = total + np.einsum("an,in,nj->aij", labels, points, wide)
    add_sign_products(total, pack(labels < 0), pack(points < 0), wide)
    # Each sum has n + 1 terms of order 1 and log n or more roundings.
    assert_allclose(total, expected, rtol=0, atol=4 * (n + 1) * np.finfo(np.float64).eps)
