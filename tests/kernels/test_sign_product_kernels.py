"""Products of signs by tables, against matrix products."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gradvar.kernels.bits import pack
from gradvar.kernels.sign_products import add_sign_products


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("m", "r", "n", "s"), [(1, 1, 1, 1), (3, 2, 7, 5), (2, 3, 64, 64), (2, 1, 100, 67)])
def test_it_is_the_product_and_is_added(m: int, r: int, n: int, s: int, dtype: type[np.floating]):
    rng = np.random.default_rng(0)
    labels, points = (np.where(rng.random((size, n)) < 0.4, -1.0, 1.0) for size in (m, r))
    wide, total = rng.normal(size=(n, s)).astype(dtype), rng.normal(size=(m, r, s)).astype(dtype)
    expected = total + np.einsum("an,in,nj->aij", labels, points, wide.astype(np.float64))
    add_sign_products(total, pack(labels < 0), pack(points < 0), wide)
    assert total.dtype == dtype
    # Each sum has n + 1 terms of order 1 and log n or more roundings.
    assert_allclose(total, expected, rtol=0, atol=4 * (n + 1) * np.finfo(dtype).eps)
