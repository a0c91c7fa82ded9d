"""What a look at a class says, against Gram matrices that are orthonormal, nearly so and not quite."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from scipy.linalg import hadamard

import gradvar as gv
from gradvar.bounds.assumptions import assumptions, gradient_norm, known_labels, lipschitz_loss, orthonormality
from gradvar.estimation.settings import Settings
from gradvar.losses import MarginLoss
from gradvar.problem import Problem
from gradvar.results.estimate import Estimate
from gradvar.results.findings import Assumption
from gradvar.testing import reference

SETTINGS = Settings.checked(0.0, 0.95, 4096, 0, None, False)
EPS = 2.0**-52


class Listed:
    """The rows of a table, listed and evaluated on finitely many points, which claim to be orthonormal."""

    labels, is_orthonormal = "signs", True

    def __init__(self, table: np.ndarray, weights: np.ndarray | None = None) -> None:
        self.table = np.asarray(table, dtype=float)
        self.inputs = gv.FinitePoints(np.arange(float(self.table.shape[1]))[:, None], weights)
        self.log2_size = math.log2(len(self.table))

    def members(self) -> np.ndarray:
        return np.arange(len(self.table))

    def sample(self, m: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(len(self.table), size=m)

    def evaluate(self, members: np.ndarray, x: np.ndarray) -> np.ndarray:
        return self.table[np.ix_(members, x[:, 0].astype(int))]


class Rows:
    """Thirty-two rows of values at whatever inputs are drawn, of a class of 2^40."""

    labels, is_orthonormal, log2_size = "signs", True, 40.0

    def __init__(self, rows: np.ndarray) -> None:
        self.inputs, self.rows = gv.Gaussian(2), rows

    def sample(self, m: int, rng: np.random.Generator) -> np.ndarray:
        return np.arange(m)

    def evaluate(self, members: np.ndarray, x: np.ndarray) -> np.ndarray:
        return self.rows[members]


def orthogonal_rows() -> np.ndarray:
    """32 orthonormal rows of signs at 4096 inputs."""
    return np.tile(hadamard(64)[:32].astype(float), 64)


# --- members that are listed ----------------------------------------------------------------------------


def test_what_is_printed_of_a_list_is_its_gram_matrix():
    rng = np.random.default_rng(0)
    for _ in range(40):
        m, n = (int(k) for k in rng.integers(1, 9, size=2))
        table, weights = rng.normal(size=(m, n)), rng.dirichlet(np.ones(n))
        if rng.random() < 0.5 and m <= n:  # orthonormal under these weights
            table = np.linalg.qr(rng.normal(size=(n, m)))[0].T / np.sqrt(weights)
        gram = reference.gram(table, weights)
        off, top = float(np.abs(gram - np.diag(np.diag(gram))).max()), float(np.diag(gram).max())
        found = orthonormality(Listed(table, weights), SETTINGS)
        assert found.name == "orthonormal class"
        text = rf"claimed; Gram matrix of all {m} members on {n} points: max \|E h h'\| = (\S+), max E h\^2 = (\S+)"
        printed = re.fullmatch(text, found.evidence)
        assert printed, found.evidence
        assert float(printed[1]) == pytest.approx(off, rel=0.051, abs=1e-13)
        assert float(printed[2]) == pytest.approx(top, rel=1e-5)
        assert found.status == ("estimated" if off < 1e-12 and top < 1 + 1e-12 else "failed")


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_list_may_miss_by_rounding_and_no_more(scale: float):
    """The rounding of a sum of n terms, 4 n eps of the largest square."""
    signs, n = hadamard(16).astype(float)[:5], 16
    allowed = 4 * n * EPS
    for share, status in ((0.5, "estimated"), (2.0, "failed")):
        leaning = signs.copy()
        leaning[1] += share * allowed * signs[0]
        assert orthonormality(Listed(leaning), SETTINGS).status == status
        large = signs.copy()
        large[2] *= math.sqrt(1 + share * allowed)
        assert orthonormality(Listed(large), SETTINGS).status == status
        # of smaller functions the same: the square is at least 1
        leaning = signs / 2
        leaning[1] += 2 * share * allowed * signs[0]
        assert orthonormality(Listed(leaning), SETTINGS).status == status
    assert orthonormality(Listed(scale * signs), SETTINGS).status == ("estimated" if scale == 1 else "failed")


def test_two_listed_members_that_vanish_are_orthogonal_and_two_that_are_equal_are_not():
    signs = hadamard(4).astype(float)
    assert orthonormality(Listed(np.vstack([signs[:2], 0 * signs[:2]])), SETTINGS).status == "estimated"
    assert orthonormality(Listed(signs[[0, 1, 1]]), SETTINGS).status == "failed"


@pytest.mark.parametrize(
    ("dim", "size", "words"),
    [
        (9, 256, "all 256 members on 512 points"),
        (9, 257, "32 sampled members on 512 points"),
        (16, 3, "all 3 members on 65,536 points"),
        (17, 3, "32 sampled members on 4,096 sampled inputs"),
    ],
)
def test_a_list_is_looked_at_whole_where_it_and_the_inputs_are_few(dim: int, size: int, words: str):
    class Few:
        """The first parities of a cube by the binary digits of their number."""

        labels, is_orthonormal, log2_size = "signs", True, math.log2(size)
        inputs = gv.Hypercube(dim)

        def members(self) -> np.ndarray:
            return np.arange(size)

        def sample(self, m: int, rng: np.random.Generator) -> np.ndarray:
            return rng.integers(size, size=m)

        def evaluate(self, members: np.ndarray, x: np.ndarray) -> np.ndarray:
            chosen = (members[:, None] >> np.arange(dim)) & 1
            return 1.0 - 2.0 * ((chosen @ (x < 0).T) % 2)

    found = orthonormality(Few(), SETTINGS)
    assert f"Gram matrix of {words}: " in found.evidence
    assert found.status == "estimated"


def test_a_list_that_is_refused_is_drawn_from():
    H = Listed(hadamard(4))

    def refused() -> None:
        raise gv.TooLargeError("too many")

    H.members = refused
    assert "32 sampled members on 4 points" in orthonormality(H, SETTINGS).evidence


# --- members and inputs that are drawn ------------------------------------------------------------------


def looked_at(first: np.ndarray, second: np.ndarray) -> str:
    rows = orthogonal_rows()
    rows[:2] = first, second
    return orthonormality(Rows(rows), SETTINGS).status


def test_products_of_signs_may_lean_by_six_standard_errors():
    """Of n = 4096 signs of mean g the standard error is ((1 - g^2)/n)^(1/2)."""
    n, signs = 4096, orthogonal_rows()[0]
    for flipped in range(1800, 2049):
        second = signs.copy()
        second[:flipped] *= -1
        mean = 1 - 2 * flipped / n
        # beside the others too: the tiles of 64 in which rows are orthogonal are flipped whole or not at all
        if flipped % 64:
            continue
        within = abs(mean) <= 6 * math.sqrt((1 - mean**2) / n)
        assert looked_at(signs, second) == ("estimated" if within else "failed"), flipped


@pytest.mark.parametrize(("share", "status"), [(0.9, "estimated"), (1.1, "failed")])
def test_products_without_spread_may_lean_by_six_of_the_least_error_that_is_believed(share: float, status: str):
    """A mean of 4096 inputs that all agree is believed to 1/4096: |E h h'| and E h^2 - 1 are at most 6/4096."""
    ones, tiny = np.ones(4096), np.full(4096, share * 6 / 4096)
    assert looked_at(ones, tiny) == status
    assert looked_at(math.sqrt(1 + share * 6 / 4096) * ones, 0 * ones) == status


def test_the_square_of_a_member_may_exceed_one_by_its_own_error():
    """h^2 = 1 + a or 1 - a' on halves: E h^2 = 1 + c, of standard error s/64."""
    half = np.repeat([1.0, -1.0], 2048)
    for lean, status in ((5.5, "estimated"), (6.5, "failed")):
        square = 1 + 0.5 * half + lean * 0.5 / 64
        assert looked_at(np.sqrt(square) * np.tile(hadamard(64)[40], 64), np.zeros(4096)) == status


# --- what is said before anybody looks ------------------------------------------------------------------


def test_what_a_class_proves_is_taken_and_what_it_does_not_claim_is_unknown():
    H = Listed(hadamard(4))
    H.orthonormality = ("proved", "by thought")
    assert orthonormality(H, SETTINGS) == Assumption("orthonormal class", "proved", "by thought")
    H = Listed(hadamard(4))
    for H.is_orthonormal in (False, None):
        unknown = Assumption("orthonormal class", "unknown", "the class does not say that it is orthonormal")
        assert orthonormality(H, SETTINGS) == unknown
    del Listed.is_orthonormal, H.is_orthonormal
    try:
        assert orthonormality(H, SETTINGS).status == "unknown"
    finally:
        Listed.is_orthonormal = True


def test_an_infinite_class_is_not_orthonormal_whatever_it_claims():
    H = Rows(orthogonal_rows())
    H.log2_size = math.inf
    infinite = "claimed, but the class is infinite: G^2/|H| says nothing"
    assert orthonormality(H, SETTINGS) == Assumption("orthonormal class", "failed", infinite)


@pytest.mark.parametrize(("excess", "status"), [(5e-10, "estimated"), (2e-9, "failed")])
def test_a_norm_above_one_over_the_size_refutes_the_claim(excess: float, status: str):
    H = Listed(hadamard(4))
    H.operator_norm = lambda centred: 0.25 * (1 + excess) if centred else 9.0
    found = orthonormality(H, SETTINGS)
    assert found.status == status
    assert ("claimed, but operator_norm() = 0.25 is above 1/|H| = 0.25" in found.evidence) == (status == "failed")


@pytest.mark.parametrize("error", [gv.NotApplicableError, gv.TooLargeError])
def test_a_norm_that_is_refused_and_a_class_without_members_leave_the_claim(error: type[Exception]):
    class Closed:
        """Nobody can look."""

        labels, is_orthonormal, log2_size, inputs = "signs", True, 3.0, gv.Gaussian(2)

        def operator_norm(self, centred: bool = True) -> float:
            raise error("not today")

    H = Closed()
    problem = Problem(H, gv.Linear([1.0, 1.0]), "hinge")
    found = assumptions(problem, exact(1.0), SETTINGS)
    assert [one.name for one in found] == ["orthonormal class", "Lipschitz loss", "labels", "gradient norm"]
    assert [one.status for one in found] == ["claimed", "proved", "claimed", "checked"]
    assert found[0].evidence == "the class has no `sample` and `evaluate` to look at it by"
    assert found[2].evidence == "the class has no `sample` and `evaluate` to look at them by"


# --- the other assumptions ------------------------------------------------------------------------------


def exact(value: float, *, exact: bool = True) -> Estimate:
    return Estimate(mantissa=value, mantissa_interval=(value, value), exact=exact, method="", guarantee="")


def test_a_loss_is_lipschitz_where_it_has_a_finite_constant():
    assert lipschitz_loss(gv.MarginLoss(np.tanh, 2.0)).status == "estimated"
    none = MarginLoss(np.exp, math.inf, "exponential")
    assert lipschitz_loss(none) == Assumption("Lipschitz loss", "failed", "exponential has no Lipschitz constant")


def test_a_gradient_norm_is_checked_where_it_is_exact():
    assert gradient_norm(exact(0.5)) == Assumption("gradient norm", "checked", "G^2 = E||dp/dw||^2 = 0.5 exact")
    assert gradient_norm(exact(0.5, exact=False)).status == "estimated"


def test_labels_are_known_by_the_loss_or_by_the_class_or_looked_at():
    model = gv.Linear([1.0])
    real = known_labels(Problem(Listed(hadamard(4)), model, "square"))
    assert real == Assumption("labels", "proved", "the loss is affine in any real label")
    H = Listed(hadamard(4))
    assert known_labels(Problem(H, model, "hinge")) is None
    looked = assumptions(Problem(H, model, "hinge"), exact(1.0), SETTINGS)[2]
    assert looked == Assumption(
        "labels", "estimated", "claimed; -1 and +1 for 32 sampled members at 256 sampled inputs"
    )
    H.label_evidence = ("checked", "all of them")
    assert assumptions(Problem(H, model, "hinge"), exact(1.0), SETTINGS)[2].status == "checked"
    for wrong in (0.0, 0.5, -1.5, 1 + 1e-9):
        table = hadamard(4).astype(float)
        table[2, 1:] = wrong
        found = assumptions(Problem(Listed(table), model, "hinge"), exact(1.0), SETTINGS)[2]
        assert (found.status, found.evidence) == (
            "failed",
            f"the class claims labels -1 and +1, but a member takes the value {wrong:.6g}",
        )
