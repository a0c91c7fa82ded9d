"""The interval for an operator norm against its formulas written anew, on the draws themselves."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
from scipy import special

import gradvar as gv
from gradvar.bounds.sampled_norm import sampled_spectrum

Array = np.ndarray


class Recorded:
    """Waves sin(a x + a) + 1/2, which remembers what was drawn and its values."""

    log2_size = math.inf

    def __init__(self, inputs: object, *, constant: bool = False) -> None:
        self.inputs, self.constant = inputs, constant
        self.values: list[Array] = []
        self.inputs_seen: list[Array] = []

    def sample(self, m: int, rng: np.random.Generator) -> Array:
        return rng.normal(size=m)

    def evaluate(self, members: Array, x: Array) -> Array:
        values = np.sin(np.outer(members, x[:, 0]) + members[:, None]) + 0.5
        if self.constant:
            values = np.ones_like(values) * np.arange(1.0, 1 + x.shape[0])
        self.values.append(values)
        self.inputs_seen.append(x)
        return values


class KnowsProducts(Recorded):
    """The same, with inner products under weights of its own."""

    def __init__(self, points: int) -> None:
        super().__init__(gv.FinitePoints(np.linspace(-2, 2, points)[:, None]))
        self.drawn: list[Array] = []

    def sample(self, m: int, rng: np.random.Generator) -> Array:
        self.drawn.append(super().sample(m, rng))
        return self.drawn[-1]

    def inner_products(self, members: Array, members2: Array) -> Array:
        x = self.inputs.points(0, self.inputs.n_points)
        return super().evaluate(members, x) @ super().evaluate(members2, x).T / len(x)


def spread_of(a: Array, b: Array, centred: bool) -> tuple[float, float]:
    """The covariance (second moment) of two coordinates of members, and its standard error."""
    m = len(a)
    mean_a, mean_b = (a.mean(), b.mean()) if centred else (0.0, 0.0)
    terms = [(x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)]
    total = sum(terms)
    error = math.sqrt(sum((t - total / m) ** 2 for t in terms) / m / m)
    return total / (m - 1 if centred else m), error


def top(matrix: Array) -> tuple[float, Array]:
    values, vectors = np.linalg.eig(matrix)
    first = int(np.argmax(values.real))
    return float(values[first].real), vectors[:, first].real / np.linalg.norm(vectors[:, first].real)


def centring(m: int, centred: bool) -> Array:
    return np.eye(m) - np.full((m, m), 1 / m) if centred else np.eye(m)


def upper_end(value: float, error: float, z: float) -> float:
    """Where lambda - z sigma(lambda) = value, sigma^2 = error^2 lambda/value: by bisection."""
    low, high = value, value + 1e6
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if middle - z * error * math.sqrt(middle / value) < value else (low, middle)
    return low


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("m", [8, 11])
@pytest.mark.parametrize("kind", ["all inputs", "inner products"])
def test_ends_from_inner_products_are_their_formulas(kind: str, m: int, centred: bool):
    H = Recorded(gv.FinitePoints(np.linspace(-2, 2, 9)[:, None])) if kind == "all inputs" else KnowsProducts(9)
    found = sampled_spectrum(H, m, 3, n_inputs=16, centred=centred, confidence=0.6)
    assert found.n_inputs is None
    z, split = float(special.ndtri(0.8)), m - m // 2
    if kind == "all inputs":
        learners, judges = H.values
    else:
        learners, judges = (Recorded.evaluate(H, h, H.inputs.points(0, 9)) for h in H.drawn)
    assert (len(learners), len(judges)) == (split, m // 2)
    every = np.concatenate([learners, judges])
    J, degrees = centring(m, centred), m - 1 if centred else m
    matrix = J @ every @ every.T @ J / 9
    largest, v = top(matrix)
    assert found.eigenvalues == pytest.approx(np.sort(np.linalg.eigvalsh(matrix))[::-1] / degrees, abs=1e-12)
    scores = math.sqrt(largest) * v
    error = math.sqrt(np.mean((scores**2 - np.mean(scores**2)) ** 2) / m)
    assert found.interval[1] == pytest.approx(upper_end(largest / degrees, error, z), rel=1e-9)
    # the learners' direction, of square 1, looked at by the judges
    J = centring(split, centred)
    f = (J @ top(J @ learners @ learners.T @ J)[1]) @ learners
    f /= math.sqrt(np.mean(f * f))
    value, error = spread_of(judges @ f / 9, judges @ f / 9, centred)
    assert found.interval[0] == pytest.approx(max(value - z * error, 0.0), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("m", "n"), [(8, 400), (25, 403)])
def test_ends_from_drawn_inputs_are_their_formulas(m: int, n: int, centred: bool):
    H = Recorded(gv.Gaussian(1))
    found = sampled_spectrum(H, m, 5, n_inputs=n, centred=centred, confidence=0.3)
    assert found.n_inputs == n
    z, split = float(special.ndtri(0.65)), m - m // 2
    learners, judges = H.values
    assert np.array_equal(*H.inputs_seen)
    assert (len(learners), len(judges), learners.shape[1]) == (split, m // 2, n)
    J, degrees = centring(m, centred), m - 1 if centred else m
    every = J @ np.concatenate([learners, judges])
    largest, v = top(every @ every.T / n)
    scores, f = math.sqrt(largest) * v, v @ every
    of_members = math.sqrt(np.mean((scores**2 - np.mean(scores**2)) ** 2) / m)
    of_inputs = largest / degrees * math.sqrt(np.mean((f**2 - np.mean(f**2)) ** 2)) / np.mean(f**2) / math.sqrt(n)
    high = upper_end(largest / degrees, math.sqrt(of_members**2 + of_inputs**2), z)
    assert found.interval[1] == pytest.approx(high, rel=1e-9)
    # the direction of half of the inputs, judged in two quarters of them
    first, others = centring(split, centred) @ learners, centring(m // 2, centred) @ judges
    half, quarter = n // 2, n // 4
    f = top(first[:, :half] @ first[:, :half].T)[1] @ first
    one, two = slice(half, half + quarter), slice(half + quarter, half + 2 * quarter)
    power = np.mean(np.concatenate([f[one], f[two]]) ** 2)
    a, b = others[:, one] @ f[one] / quarter, others[:, two] @ f[two] / quarter
    value, error = (moment / power for moment in spread_of(a, b, centred))
    count = m // 2 - 1 if centred else m // 2
    square = error**2
    for part, other in ((one, b), (two, a)):
        added = [f[i] * (other @ others[:, i]) / count - value * f[i] ** 2 / 2 for i in range(part.start, part.stop)]
        square += np.var(added) / power**2 / quarter
    assert found.interval[0] == pytest.approx(max(value - z * math.sqrt(square), 0.0), rel=1e-9, abs=1e-12)
    assert found.interval[0] > 0


@pytest.mark.parametrize("inputs", [gv.Gaussian(1), gv.FinitePoints(np.arange(5.0)[:, None])])
def test_members_that_are_all_equal_have_a_centred_norm_of_zero(inputs: object):
    low, high = sampled_spectrum(Recorded(inputs, constant=True), 8, 0, n_inputs=16).interval
    assert low == 0.0
    assert 0 <= high < 1e-9
    low, high = sampled_spectrum(Recorded(inputs, constant=True), 8, 0, n_inputs=16, centred=False).interval
    assert 0 < low < high


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("inputs", [gv.Gaussian(1), gv.FinitePoints(np.arange(5.0)[:, None])])
def test_members_that_vanish_have_a_norm_of_zero(inputs: object, centred: bool):
    class Zero(Recorded):
        def evaluate(self, members: Array, x: Array) -> Array:
            return np.zeros((len(members), len(x)))

    assert sampled_spectrum(Zero(inputs), 8, 0, n_inputs=16, centred=centred).interval == (0.0, 0.0)


def test_inner_products_that_are_refused_are_summed_over_inputs():
    class Refused(Recorded):
        def inner_products(self, members: Array, members2: Array) -> Array:
            raise gv.NotApplicableError("not today")

    points = gv.FinitePoints(np.linspace(-2, 2, 9)[:, None])
    assert sampled_spectrum(Refused(points), 8, 3).interval == sampled_spectrum(Recorded(points), 8, 3).interval


def test_the_least_sizes_and_what_is_taken_unasked():
    H = Recorded(gv.Gaussian(1))
    assert sampled_spectrum(H, 8, 0, n_inputs=16).n_inputs == 16
    unasked = {name: one.default for name, one in inspect.signature(sampled_spectrum).parameters.items()}
    assert (unasked["m"], unasked["n_inputs"], unasked["centred"], unasked["confidence"]) == (1024, 4096, True, 0.95)
    for sizes in ({"m": 7}, {"n_inputs": 15}, {"confidence": 0}, {"confidence": 1}):
        with pytest.raises(ValueError, match=f"`{next(iter(sizes))}` must be"):
            sampled_spectrum(H, rng=0, **sizes)


@pytest.mark.parametrize(("points", "drawn"), [(2**14, None), (2**14 + 1, 16)])
def test_inputs_are_enumerated_where_they_are_few(points: int, drawn: int | None):
    H = Recorded(gv.FinitePoints(np.linspace(-2, 2, points)[:, None]))
    assert sampled_spectrum(H, 8, 0, n_inputs=16).n_inputs == drawn
