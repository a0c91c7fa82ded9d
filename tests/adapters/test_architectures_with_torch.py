"""Var/G^2 of each architecture, PyTorch's among them, against the gradients of all 2^d risks."""

import numpy as np
import pytest

from gradvar.experiments import architectures
from gradvar.testing import reference


def test_every_bar_is_the_variance_of_the_gradients_of_all_parities():
    result = architectures.run(dims=[5], rng=5)
    assert [row["architecture"] for row in result] == list(architectures.ARCHITECTURES)
    x, weights, table = reference.cube(5), np.full(32, 1 / 32), reference.parity_table(5)
    for row in result:
        model = architectures.ARCHITECTURES[row["architecture"]](5, 5)
        p, g = np.asarray(model.predict(x)), np.asarray(model.gradient(x))
        variance = reference.gradient_variance(reference.gradients(table, weights, p, g, "square"))
        assert row["value"] == pytest.approx(variance / reference.gradient_norm_sq(weights, g), rel=1e-9)
        assert row["parameters"] == g.shape[1]
        degrees = reference.degree_spectrum(5, p, g, "square") * [1, 5, 10, 10, 5, 1]
        assert result.shares[row["architecture"]] == pytest.approx(degrees / degrees.sum(), rel=1e-9)
    assert result.agrees
