"""Every closed form of the modular classes against the table of values of all members at all residues.

The table is built from the definition in integers, without primitive roots, logarithms or transforms. A correlation
by the Fourier transform has an error of O(eps log n) times the norms of what is correlated, which is below 1e-14
for the sizes here: absolute tolerances of 2e-14 on quantities of size 1.

Statistical tests have fixed seeds and a false-alarm rate of 1e-6 each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chi2

import gradvar as gv
from gradvar.testing import reference

Array = np.ndarray


def bump(u: Array) -> Array:
    return np.exp(-3 * u) + (u > 0.4)


def standardised(psi: Callable[[float], float], p: int) -> list[float]:
    given = [psi(j / p) for j in range(p)]
    mean = math.fsum(given) / p
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in given) / p)
    return [(value - mean) / deviation for value in given]


def wave_table(wave: str | Callable[[Array], Array], p: int) -> list[float]:
    """psi(j/p), j = 0..p-1, by the definition of each wave."""
    if wave == "cosine":
        return standardised(lambda u: math.cos(2 * math.pi * u), p)
    if wave == "square":
        return [1.0 if math.cos(2 * math.pi * j / p) >= 0 else -1.0 for j in range(p)]
    if wave == "triangle":
        return standardised(lambda u: 1 - 4 * min(u, 1 - u), p)
    if wave == "sawtooth":
        return standardised(lambda u: 2 * u - 1, p)
    return [float(wave(np.array([j / p]))[0]) for j in range(p)]


@dataclass(frozen=True)
class Case:
    """A class beside the table (p - 1, n) of its members' values, in the order of members and points."""

    H: gv.ModularMultiples | gv.DiscreteLog
    table: Array

    @property
    def points(self) -> Array:
        return self.H.inputs.points(0, self.H.inputs.n_points)

    @property
    def weights(self) -> Array:
        return np.full(self.table.shape[1], 1 / self.table.shape[1])


def build(p: int, name: str | Callable[[Array], Array], units: bool = True, encoding: str = "bits") -> Case:
    if name == "log":
        table = [[(-1.0) ** (pow(a, -1, p) * x % p) for x in range(1, p)] for a in range(1, p)]
        return Case(gv.DiscreteLog(p, encoding=encoding), np.array(table))
    values = wave_table(name, p)
    table = [[values[a * x % p] for x in range(1 if units else 0, p)] for a in range(1, p)]
    return Case(gv.ModularMultiples(p, name, units=units, encoding=encoding), np.array(table))


WAVES = ["cosine", "square", "triangle", "sawtooth", bump]
PRIMES = [2, 3, 5, 7, 13, 23]
CASES = [(p, "log", True) for p in PRIMES] + [(p, w, units) for p in PRIMES for w in WAVES for units in (True, False)]
# 226 = 2 * 113 and 478 = 2 * 239: lengths without small factors, which the transform takes by Bluestein's way
LARGE = [(p, name, units) for p in (227, 433, 479) for name, units in (("log", True), ("sawtooth", False))]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}, {getattr(case[1], '__name__', case[1])}, {case[2]}")
def case(request: pytest.FixtureRequest) -> Case:
    return build(*request.param)


def test_members_sizes_and_labels(case: Case):
    H = case.H
    assert H.size == len(H) == len(case.table)
    assert_allclose(H.log2_size, math.log2(len(case.table)), rtol=1e-15)
    assert_array_equal(H.members(), np.arange(1, H.p))
    assert H.labels == ("signs" if (abs(case.table) == 1).all() else "real")


def test_values_are_those_of_the_definition(case: Case):
    H = case.H
    values = H.evaluate(H.members(), case.points)
    assert values.dtype == np.float64
    assert_allclose(values, case.table, rtol=0, atol=4e-15)
    some = H.members()[::-2]
    assert_array_equal(H.evaluate(some, case.points[::-1]), values[::-2, ::-1])
    assert H.evaluate([], case.points).shape == (0, len(case.points))


def test_mean_and_covariance_are_those_of_the_table(case: Case):
    H, x = case.H, case.points
    assert_allclose(H.mean(x), reference.class_mean(case.table), rtol=0, atol=1e-14)
    covariance = H.covariance(x, x)
    assert_allclose(covariance, reference.class_covariance(case.table), rtol=0, atol=2e-14)
    assert_array_equal(H.covariance(x[-2:], x), covariance[-2:])


def test_gram_matrix_and_its_row_are_those_of_the_table(case: Case):
    H = case.H
    gram = (case.table * case.weights) @ case.table.T
    assert_allclose(H.gram(), gram, rtol=0, atol=2e-14)
    assert_allclose(H.gram_row(), gram[0], rtol=0, atol=2e-14)
    assert_allclose(H.inner_products([1, H.p - 1], H.members()), gram[[0, -1]], rtol=0, atol=2e-14)
    for row in gram:  # permutations of one another
        assert_allclose(np.sort(row), np.sort(gram[0]), rtol=0, atol=2e-14)


def test_eigenvalues_are_those_of_the_gram_matrix(case: Case):
    H, m = case.H, len(case.table)
    gram = (case.table * case.weights) @ case.table.T
    eigenvalues = H.gram_eigenvalues()
    # An eigenvalue of a symmetric m x m matrix errs by m eps of the largest at most.
    assert_allclose(np.sort(eigenvalues), np.linalg.eigvalsh(gram), rtol=0, atol=1e-14 * max(m, 2))
    # Number 0 is that of the constant vector, and centring replaces it by 0.
    assert_allclose(gram @ np.ones(m), eigenvalues[0] * np.ones(m), rtol=0, atol=1e-13)
    centring = np.eye(m) - 1 / m
    centred = np.sort([0.0, *eigenvalues[1:]])
    assert_allclose(np.linalg.eigvalsh(centring @ gram @ centring), centred, rtol=0, atol=1e-14 * max(m, 2))


def test_eigenvalue_k_belongs_to_character_k_of_the_smallest_primitive_root():
    for case in (build(13, "sawtooth"), build(13, bump, units=False), build(13, "log")):
        logs = {pow(2, t, 13): t for t in range(12)}
        gram = (case.table * case.weights) @ case.table.T
        for k, eigenvalue in enumerate(case.H.gram_eigenvalues()):
            character = np.exp(2j * np.pi * k * np.array([logs[a] for a in range(1, 13)]) / 12)
            assert_allclose(gram @ character, eigenvalue * character, rtol=0, atol=5e-14)


def test_operator_norms_are_those_of_the_table(case: Case):
    for centred in (True, False):
        if len(case.table) <= 12:
            expected = reference.operator_norm(case.table, case.weights, centred)
            assert_allclose(case.H.operator_norm(centred=centred), expected, rtol=1e-13, atol=1e-14)


def test_projection_is_the_mean_of_the_product_for_every_member(case: Case):
    f = np.random.default_rng(0).normal(size=(len(case.points), 3))
    before = f.copy()
    assert_allclose(case.H.project(f), reference.projection(case.table, case.weights, f), rtol=0, atol=2e-14)
    assert_array_equal(f, before)


@pytest.mark.parametrize(("p", "name", "units"), LARGE)
def test_closed_forms_at_larger_primes(p: int, name: str, units: bool):
    case = build(p, name, units)
    H, table = case.H, case.table
    f = np.random.default_rng(1).normal(size=(len(case.points), 5))
    assert_allclose(H.project(f), table @ f / len(f), rtol=0, atol=1e-13)
    gram = table @ table.T / len(f)
    assert_allclose(H.gram(), gram, rtol=0, atol=1e-12)
    assert_allclose(np.sort(H.gram_eigenvalues()), np.linalg.eigvalsh(gram), rtol=0, atol=1e-11)
    centred = table - table.mean(axis=0)
    x = case.points
    assert_allclose(H.covariance(x[::7], x), centred[:, ::7].T @ centred / len(table), rtol=0, atol=1e-12)


@pytest.mark.parametrize("encoding", ["bits", "bits-msb-first", "integer", "one-hot"])
@pytest.mark.parametrize(("name", "units"), [("log", True), ("cosine", True), (bump, False)])
def test_the_class_is_the_same_in_every_encoding(name: str | Callable[[Array], Array], units: bool, encoding: str):
    case = build(11, name, units, encoding)
    x = case.points
    assert_allclose(case.H.evaluate(case.H.members(), x), case.table, rtol=0, atol=4e-15)
    assert_allclose(case.H.covariance(x, x), reference.class_covariance(case.table), rtol=0, atol=2e-14)
    assert_allclose(case.H.mean(x), reference.class_mean(case.table), rtol=0, atol=1e-14)


def test_orthonormality_is_said_as_the_gram_matrix_has_it(case: Case):
    status, evidence = case.H.orthonormality
    gram = (case.table * case.weights) @ case.table.T
    off = abs(gram - np.diag(np.diag(gram))).max()
    assert case.H.is_orthonormal == bool(abs(gram - np.eye(len(gram))).max() < 1e-13)
    assert status == ("checked" if off < 1e-13 and gram[0, 0] < 1 + 1e-13 else "failed")
    assert f"E h^2 = {gram[0, 0]:.6g}" in evidence


def test_an_orthonormal_orbit_is_known_for_one():
    # h_a(x) = sqrt(p - 1) [a x = 1]: Gram = I on the units
    p = 1019
    H = gv.ModularMultiples(p, lambda u: np.sqrt(p - 1) * (np.round(p * u) == 1))
    assert H.is_orthonormal
    assert H.orthonormality[0] == "checked"
    assert_allclose(H.operator_norm(), 1 / (p - 1), rtol=1e-13)
    # ... but not when the members are larger than Theorem 1 assumes, or merely orthogonal.
    large = gv.ModularMultiples(p, lambda u: 2 * np.sqrt(p - 1) * (np.round(p * u) == 1))
    assert (large.is_orthonormal, large.orthonormality[0]) == (False, "failed")
    small = gv.ModularMultiples(p, lambda u: np.sqrt(p - 1) / 2 * (np.round(p * u) == 1))
    assert (small.is_orthonormal, small.orthonormality[0]) == (False, "checked")
    # ... nor when two members are slightly correlated.
    tilted = gv.ModularMultiples(p, lambda u: np.sqrt(p - 1) * ((np.round(p * u) == 1) + 1e-9 * (np.round(p * u) == 2)))
    assert (tilted.is_orthonormal, tilted.orthonormality[0]) == (False, "failed")


def test_sampled_members_are_uniform():
    for H in (gv.DiscreteLog(17), gv.ModularMultiples(17, units=False)):
        members = H.sample(16_000, np.random.default_rng(5))
        counts = np.bincount(members, minlength=17)
        assert counts[0] == 0
        assert len(counts) == 17
        assert ((counts[1:] - 1000) ** 2 / 1000).sum() < chi2.isf(1e-6, 15)
        assert_array_equal(H.sample(9, rng=3), H.sample(9, rng=3))
        assert not np.array_equal(H.sample(99, rng=3), H.sample(99, rng=4))
        assert H.sample(0, rng=3).shape == (0,)


def test_one_member_as_a_function():
    H = gv.DiscreteLog(11, encoding="integer")
    h = H.member(4)  # 4^-1 = 3
    assert_array_equal(h([[1], [2], [5]]), [-1, 1, 1])
    assert [int(target.which) for target in H] == list(range(1, 11))


@pytest.mark.parametrize("members", [[[1, 2]], [1.0, 2.0], 3, ["a"]])
def test_members_of_another_shape_are_refused(members: object):
    H = gv.DiscreteLog(11)
    for call in (lambda: H.evaluate(members, H.inputs.points(0, 2)), lambda: H.inner_products(members, [1])):
        with pytest.raises(gv.ShapeError, match=r"`members` must be integers a of shape \(m,\)"):
            call()


@pytest.mark.parametrize("members", [[0, 3], [11], [-1]])
def test_members_out_of_range_are_refused(members: list[int]):
    with pytest.raises(ValueError, match="`members` must be integers a from 1 to 10, got"):
        gv.DiscreteLog(11).evaluate(members, gv.CyclicGroup(11).points(0, 2))


def test_other_bad_arguments_are_named():
    H = gv.DiscreteLog(11)
    with pytest.raises(gv.ShapeError, match=r"`f` must have shape \(10, q\) for DiscreteLog\(p=11\), got \(11, 2\)"):
        H.project(np.zeros((11, 2)))
    with pytest.raises(ValueError, match="`x` must hold residues from 1 to 10 as 4 bits"):
        H.covariance(np.zeros((1, 4)), H.inputs.points(0, 2))
    with pytest.raises(ValueError, match="`m` must be an integer >= 0"):
        H.sample(-1)
    with pytest.raises(gv.TooLargeError, match=r"Gram matrix of 10,006 members needs 0\.75 GiB; see gram_row"):
        gv.DiscreteLog(10_007).gram()
    with pytest.raises(gv.TooLargeError, match=r"`p` must be at most 2\^24 = 16,777,216"):
        gv.DiscreteLog(2**31 - 1)
