"""Operator norms from a sample of members: the coverage of their intervals on classes whose norm is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import gradvar as gv
from gradvar.bounds.sampled_norm import sampled_spectrum
from gradvar.classes.inputs import Inputs

REPEATS = 200


class Sampler(NamedTuple):
    """A class of which nothing is known but how to draw and evaluate members."""

    whole: object
    inputs: Inputs
    log2_size: float

    def sample(self, m, rng):
        return self.whole.sample(m, rng)

    def evaluate(self, members, x):
        return self.whole.evaluate(members, x)


def only_drawn(H) -> Sampler:
    return Sampler(H, H.inputs, H.log2_size)


def decaying(ratio: float) -> gv.FiniteClass:
    rng = np.random.default_rng(1)
    functions = np.linalg.qr(rng.standard_normal((200, 24)))[0].T
    mixed = rng.standard_normal((300, 24)) * ratio ** np.arange(24)
    return gv.FiniteClass(mixed @ functions + 0.2 * functions[0], np.arange(200.0)[:, None])


CASES = {
    "orthonormal, finite": gv.SparseParities(6, 2),
    "orthonormal, drawn inputs": only_drawn(gv.OrthogonalNetworks(6, 3)),
    "fast decay": decaying(0.5),
    "slow decay": decaying(0.95),
    "relu neuron, inner products": gv.RandomNetworks(10, (), "relu", weights="sphere"),
    "relu neuron": only_drawn(gv.RandomNetworks(10, (), "relu", weights="sphere")),
    "Gaussian neuron": only_drawn(gv.RandomNetworks(4, (), "relu")),
    "linear-periodic": only_drawn(gv.LinearPeriodic(5, 2.0)),
}


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_coverage(name: str, centred: bool):
    """Each end of the 95% interval fails with probability about 1/40, mostly less: of 200 intervals at most 16 above
    and 16 below, which a rate of 1/40 exceeds with probability 1e-5."""
    H = CASES[name]
    norm = getattr(H, "whole", H).operator_norm(centred=centred)
    ends = np.array([sampled_spectrum(H, 128, seed, n_inputs=512, centred=centred).interval for seed in range(REPEATS)])
    assert np.count_nonzero(ends[:, 0] > norm) <= 16
    assert np.count_nonzero(ends[:, 1] < norm) <= 16


@pytest.mark.parametrize(
    ("H", "low", "high"),
    [
        (CASES["relu neuron"], 0.8, 1.5),
        (CASES["relu neuron, inner products"], 0.8, 1.5),
        (CASES["linear-periodic"], 0.7, 1.6),
        (CASES["fast decay"], 0.85, 1.2),
    ],
)
def test_intervals_are_narrow(H, low: float, high: float):
    """An interval that always covers says nothing: with the defaults it is near the norm on both sides."""
    norm = getattr(H, "whole", H).operator_norm()
    spectrum = sampled_spectrum(H, rng=0)
    assert low * norm < spectrum.interval[0] < norm < spectrum.interval[1] < high * norm
    assert spectrum.eigenvalues[0] == spectrum.eigenvalues.max()


def test_a_wrong_norm_is_outside():
    spectrum = sampled_spectrum(CASES["relu neuron"], rng=0)
    assert not spectrum.interval[0] <= 0.5 * 0.025 <= spectrum.interval[1]
    assert not spectrum.interval[0] <= 2 * 0.025 <= spectrum.interval[1]


def test_lower_end_does_not_see_what_it_was_fitted_to():
    """Norm 1/780 of parities of two of 40 bits, m = 64: the sample's top eigenvalue is twelve times too large."""
    H = only_drawn(gv.SparseParities(40, 2))
    for seed in range(50):
        spectrum = sampled_spectrum(H, 64, seed, n_inputs=512)
        assert spectrum.eigenvalues[0] > 5 / 780
        assert spectrum.interval[0] < 2 / 780


def test_spectrum_of_a_small_class():
    """Two orthogonal members, of squares 4 and 1: eigenvalues 2 and 1/2 uncentred, 5/4 and 0 centred.

    Of 512 draws one member makes a share p of 1/2 within 6 standard errors, .13: so do 4p and 1 - p, and 5p(1-p).
    """
    H = gv.FiniteClass([[2.0, 2.0], [1.0, -1.0]], [[0.0], [1.0]])
    plain = sampled_spectrum(H, 512, 0, centred=False)
    assert plain.eigenvalues[:2] == pytest.approx([2.0, 0.5], rel=0.27)
    assert plain.eigenvalues[2:] == pytest.approx(0, abs=1e-12)
    centred = sampled_spectrum(H, 512, 0)
    assert centred.eigenvalues[0] == pytest.approx(1.25, rel=0.08)
    assert centred.eigenvalues[1:] == pytest.approx(0, abs=1e-12)
    assert centred.n_inputs is None


def test_one_member_does_not_vary():
    finite = gv.FiniteClass([[1.0, 2.0, -1.0]], np.eye(3))
    drawn = gv.SampledClass(lambda rng: lambda x: x[:, 0], gv.Gaussian(3))
    for H in (finite, drawn):
        low, high = sampled_spectrum(H, 64, 0, n_inputs=256).interval
        assert low == 0.0
        assert 0.0 <= high < 1e-14


def test_same_seed_same_numbers():
    H = CASES["relu neuron"]
    first, second = (sampled_spectrum(H, 64, 5, n_inputs=256) for _ in range(2))
    assert first.interval == second.interval
    assert_array_equal(first.eigenvalues, second.eigenvalues)
    assert first.interval != sampled_spectrum(H, 64, 6, n_inputs=256).interval
    assert (first.eigenvalues.size, first.n_inputs) == (64, 256)


def test_more_confidence_is_wider():
    H = CASES["relu neuron"]
    narrow, wide = (sampled_spectrum(H, 64, 5, confidence=c).interval for c in (0.5, 0.999))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_bad_arguments():
    H = gv.SparseParities(4, 2)
    with pytest.raises(ValueError, match="`m` must be an integer >= 8, got 4"):
        sampled_spectrum(H, 4)
    with pytest.raises(ValueError, match="`n_inputs` must be an integer >= 16"):
        sampled_spectrum(H, n_inputs=1)
    with pytest.raises(ValueError, match="`confidence` must be a number between 0 and 1, got 1"):
        sampled_spectrum(H, confidence=1)
