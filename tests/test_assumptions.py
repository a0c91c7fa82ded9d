"""What a class claims of itself, and what the assumptions of Theorem 1 make of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradvar as gv
from gradvar.bounds.assumptions import orthonormality
from gradvar.classes.members.repeats import too_often
from gradvar.estimation.settings import Settings

SETTINGS = Settings.checked(0.0, 0.95, 4096, 0, None, False)


class Halfspaces:
    """sign<w, x>, w ~ N(0, I): an infinite class that claims to be orthonormal."""

    labels, is_orthonormal, log2_size = "signs", True, math.inf

    def __init__(self, dim):
        self.inputs = gv.Gaussian(dim)

    def sample(self, m, rng):
        return rng.standard_normal((m, self.inputs.dim))

    def evaluate(self, members, x):
        return np.where(members @ x.T > 0, 1.0, -1.0)


def test_theorem_1_does_not_apply_to_an_infinite_class_whatever_it_claims():
    check = gv.bound_check(Halfspaces(40), gv.Linear(np.ones(40)), max_samples=4096, rng=0)
    assert check.assumptions[0].status == "failed"
    assert check.assumptions[0].evidence == "claimed, but the class is infinite: G^2/|H| says nothing"
    assert not check.bounds["theorem-1"].applicable
    assert check.bound_name == "operator-norm"
    assert 0 < check.bounds["operator-norm"].value < math.inf


def test_a_class_that_does_not_know_its_norm_is_looked_at_by_its_members():
    class Unsure(Halfspaces):
        """Eight of them, h(x) = sign x_i."""

        log2_size = 3.0

        def sample(self, m, rng):
            return np.eye(8)[rng.integers(8, size=m)]

        def operator_norm(self, centred=True):
            raise gv.NotApplicableError("not today")

    check = gv.bound_check(Unsure(8), gv.Linear(np.ones(8)), max_samples=4096, rng=0)
    assert check.assumptions[0].status == "estimated"
    assert check.bounds["theorem-1"].applicable


def test_all_inputs_taken_leave_no_resolution_to_speak_of():
    def neuron(rng):
        w = rng.standard_normal(3)
        return lambda x: np.tanh(x @ w)

    H = gv.SampledClass(neuron, gv.Hypercube(3))
    guarantee = gv.gradient_variance(H, gv.Linear(np.ones(3)), rng=0).guarantee
    assert "all 8 inputs" in guarantee
    assert "looks like zero" not in guarantee


class Products:
    """The targets x_i x_j on the cube {-1, +1}^dim, described by ordered pairs (i, j), i != j."""

    labels, is_orthonormal = "signs", True

    def __init__(self, dim, log2_size=None):
        self.inputs = gv.Hypercube(dim)
        self.log2_size = math.log2(dim * (dim - 1) / 2) if log2_size is None else log2_size

    def sample(self, m, rng):
        return np.array([rng.permutation(self.inputs.dim)[:2] for _ in range(m)])

    def evaluate(self, members, x):
        return np.prod(np.asarray(x).T[members], axis=1)


@pytest.mark.parametrize("dim", [4, 9, 20])
def test_two_descriptions_of_a_member_are_one_member(dim: int):
    found = orthonormality(Products(dim), SETTINGS)
    assert found.status == "estimated"
    assert "max |E h h'| = 0" in found.evidence or dim == 20


def test_a_list_that_names_members_twice_is_not_orthonormal():
    H = Products(4, math.log2(12))
    H.members = lambda: np.array([(i, j) for i in range(4) for j in range(4) if i != j])
    found = orthonormality(H, SETTINGS)
    assert found.status == "failed"
    assert "Gram matrix of all 12 members on 16 points: max |E h h'| = 1" in found.evidence


def test_members_that_are_equal_too_often_are_no_large_class():
    found = orthonormality(Products(3, 30.0), SETTINGS)
    assert found.status == "failed"
    assert "of the draws are equal to another, too many for its size" in found.evidence


@pytest.mark.parametrize("size", [4, 1000, 10**6])
def test_draws_are_not_called_too_often_equal_at_the_size_they_have(size: int):
    rng = np.random.default_rng(size)
    for draws in (2, 32, 1024):
        for row in rng.integers(size, size=(200, draws)):
            assert not too_often(draws - np.unique(row).size, draws, math.log2(size))
    # 1024 draws of 10^6 are equal about once: one of 2^40 would be a matter of luck
    assert too_often(draws - np.unique(row).size, draws, 40.0) == (size < 10**6)
