"""What a class claims of itself, and what the assumptions of Theorem 1 make of it."""

from __future__ import annotations

import math

import numpy as np

import gradvar as gv


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
