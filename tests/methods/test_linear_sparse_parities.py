"""Parities of one degree and a linear model, where b is constant, against enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv
from gradvar.estimation.settings import Settings
from gradvar.methods.base import choose
from gradvar.methods.closed_form.linear_sparse_parities import LinearSparseParities
from gradvar.problem import Moment

SETTINGS = Settings.checked(0, 0.9, 4, 0, None, False)


@pytest.mark.parametrize("dim", [1, 2, 5, 8])
@pytest.mark.parametrize("moment", list(Moment))
def test_every_moment_is_that_of_enumeration(dim: int, moment: Moment):
    for degree in range(dim + 1):
        for w in (np.zeros(dim), np.random.default_rng(dim).normal(size=dim)):
            problem = gv.Problem(gv.SparseParities(dim, degree), gv.Linear(w), "correlation", moment)
            found, slow = (
                choose((method,), problem).estimate(problem, SETTINGS)
                for method in (LinearSparseParities(), gv.Enumeration())
            )
            assert_allclose(found.value, slow.value, rtol=1e-12, atol=1e-25)


def test_any_dimension_and_no_other_loss():
    H, model = gv.SparseParities(10**4, 1), gv.Linear(np.ones(10**4))
    assert_allclose(gv.gradient_variance(H, model).value, 1 - 1e-4, rtol=1e-14)
    assert LinearSparseParities().uncovered(gv.Problem(H, model, "hinge")) == "b depends on the prediction"
