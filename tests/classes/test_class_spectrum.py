"""The eigenvalues of a class against the matrix of its values, formed and centred in full."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import gradvar as gv

RNG = np.random.default_rng(3)
POINTS = RNG.normal(size=(9, 2))
PRIOR = np.array([0.5, 0.3, 0.1, 0.1])


def brute(table, weights, centred, prior=None):
    """The eigenvalues of D^1/2 (X - mean) diag(w) (X - mean)' D^1/2, D the probabilities of members."""
    pi = np.full(len(table), 1 / len(table)) if prior is None else prior
    values = table - pi @ table if centred else table
    values = np.sqrt(pi)[:, None] * values * np.sqrt(weights)
    return np.sort(np.linalg.svd(values, compute_uv=False) ** 2)[::-1]


def cube(dim):
    return np.array([[1 - 2 * (i >> j & 1) for j in range(dim)] for i in range(2**dim)], dtype=float)


class Covariance:
    """A class that says its covariance alone."""

    log2_size = math.inf
    inputs = gv.FinitePoints(POINTS)

    def covariance(self, x, x2):
        return np.exp(-((x[:, None] - x2) ** 2).sum(axis=2))


CASES = {
    "members by their values": gv.FiniteClass(RNG.normal(size=(6, 9)), POINTS),
    "more members than points": gv.FiniteClass(RNG.normal(size=(30, 9)), POINTS, weights=RNG.dirichlet(np.ones(9))),
    "a prior": gv.FiniteClass(RNG.normal(size=(4, 9)), POINTS, prior=PRIOR),
    "some parities, one of them twice": gv.Parities(4).restrict([3, 5, 5, 9]),
    "all parities": gv.Parities(4),
    "parities on points": gv.SparseParities(5, 2).on(RNG.choice([-1.0, 1.0], (7, 5))),
    "biased": gv.BiasedParities(4, 0.3, normalised=False),
    "modular": gv.ModularMultiples(7),
}


class Vectors:
    """A user's class with three outputs that lists its members."""

    labels, n_outputs, log2_size = "real", 3, math.log2(5)
    inputs = gv.FinitePoints(np.arange(6.0)[:, None])
    values = RNG.normal(size=(5, 6, 3))

    def members(self):
        return np.arange(5)

    def sample(self, m, rng=None):
        return np.random.default_rng(rng).integers(0, 5, m)

    def evaluate(self, members, x):
        return self.values[np.asarray(members)][:, x[:, 0].astype(int)]


class Labels(Vectors):
    """A user's class with class labels."""

    labels, values = "classes", RNG.integers(0, 3, (5, 6))


SIX = np.arange(6.0)[:, None]
OUTPUTS = {
    "vectors": gv.FiniteClass(RNG.normal(size=(4, 6, 2)), SIX),
    "class labels with a prior": gv.FiniteClass(RNG.integers(0, 3, (4, 6)), SIX, n_classes=3, prior=PRIOR),
    "all labelings": gv.RandomLabels(SIX[:4], n_classes=3, weights=[0.1, 0.2, 0.3, 0.4]),
    "a proof": gv.ModularAddition(5),
    "some of a proof": gv.ModularAddition(5).restrict([1, 2, 2, 7]),
    "vectors of a user": Vectors(),
    "class labels of a user": Labels(),
}


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("name", OUTPUTS)
def test_eigenvalues_with_several_outputs_are_those_of_vectors(name, centred):
    """Gram = E<h, h'>, class labels as unit vectors less 1/K."""
    H = OUTPUTS[name]
    n = H.inputs.n_points
    table = np.asarray(H.evaluate(H.members(), H.inputs.points(0, n)))
    if table.ndim == 2:
        table = np.eye(H.n_outputs)[table.astype(int)] - 1 / H.n_outputs
    weights = np.repeat(H.inputs.weights(0, n), H.n_outputs)
    expected = brute(table.reshape(len(table), -1), weights, centred, getattr(H, "prior", None))
    found = gv.class_spectrum(H, centred=centred)
    known = np.repeat(found.eigenvalues, np.exp2(found.log2_counts).round().astype(int))
    assert_allclose(known, expected[: len(known)], rtol=1e-9)
    assert (expected[len(known) :] < 1e-12 * expected[0]).all(), "what is left out is zero"


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_eigenvalues_are_those_of_the_matrix_of_all_members(name, centred):
    H = CASES[name]
    n = H.inputs.n_points
    table = np.asarray(H.evaluate(H.members(), H.inputs.points(0, n)), dtype=float)
    expected = brute(table, H.inputs.weights(0, n), centred, getattr(H, "prior", None))
    found = gv.class_spectrum(H, centred=centred)
    counts = np.exp2(found.log2_counts).round().astype(int)
    known = np.repeat(found.eigenvalues, counts)
    assert_allclose(known, expected[: len(known)], rtol=1e-9, atol=1e-13 * expected[0])
    assert (expected[len(known) :] < 1e-12 * expected[0]).all(), "what is left out is zero"
    assert known[0] == pytest.approx(H.operator_norm(centred), rel=1e-10)
    assert (np.diff(found.log2_eigenvalues) <= 1e-12).all()


def test_of_a_covariance_alone():
    H = Covariance()
    found = gv.class_spectrum(H)
    matrix = H.covariance(POINTS, POINTS) / 9
    assert_allclose(found.eigenvalues, np.linalg.eigvalsh(matrix)[::-1], rtol=1e-10)
    assert "1/|H|" not in repr(found)
    with pytest.raises(gv.NotApplicableError):
        gv.class_spectrum(H, centred=False)  # its mean is not known


def test_a_class_too_large_for_float64():
    found = gv.class_spectrum(gv.Parities(10_000))
    (row,) = found
    assert row == {"eigenvalue": 0.0, "log2_eigenvalue": -10_000.0, "log2_count": 10_000.0}
    assert json.loads(json.dumps(found.to_dicts())) == found.to_dicts()
    assert repr(found) == "ClassSpectrum(1.99506e+3010 eigenvalues, the largest 5.01237e-3011; 1/|H| = 5.01237e-3011)"
    assert found.to_pandas()["log2_eigenvalue"].tolist() == [-10_000.0]


def test_a_class_of_one_member_has_no_variance():
    one = gv.FiniteClass([[1.0, 1.0]], [[0.0], [1.0]])
    assert len(gv.class_spectrum(one)) == 0
    assert repr(gv.class_spectrum(one)) == "ClassSpectrum(0 eigenvalues; 1/|H| = 1)"
    assert len(gv.class_spectrum(gv.Parities(3).restrict([2]))) == 0


def test_what_is_too_large_is_refused_before_it_is_computed():
    H = gv.FiniteClass(RNG.normal(size=(6000, 4)), np.arange(4.0)[:, None])
    assert len(gv.class_spectrum(H)) == 4
    assert "matrix" not in vars(H.gram_matrix), "the matrix of all pairs of members"

    class Asked(Covariance):
        inputs = gv.FinitePoints(np.arange(5000.0)[:, None])

        def covariance(self, x, x2):
            pytest.fail("evaluated")

    with pytest.raises(gv.TooLargeError, match="5,000 rows"):
        gv.class_spectrum(Asked())


def test_what_is_not_known_is_refused():
    with pytest.raises(gv.NotApplicableError, match=r"H\.on\(points\)"):
        gv.class_spectrum(gv.LinearPeriodic(3, 1.0))
    with pytest.raises(gv.TooLargeError, match="4,096"):
        gv.class_spectrum(gv.SparseParities(30, 3).on(np.random.default_rng(0).choice([-1.0, 1.0], (5000, 30))))
    for gram in ([[1.0, math.nan], [math.nan, 1.0]], [1.0, 2.0], [[1.0, 0.0]], [["a"]]):
        H = SimpleNamespace(log2_size=1.0, inputs=gv.Hypercube(3), gram=lambda gram=gram: gram)
        with pytest.raises((TypeError, ValueError), match=r"`H\.gram\(\)`"):
            gv.class_spectrum(H)
    with pytest.raises((TypeError, ValueError), match="`centred`"):
        gv.class_spectrum(gv.Parities(3), centred="yes")
    with pytest.raises(TypeError, match="`H`"):
        gv.class_spectrum(gv.Linear([1.0]))
