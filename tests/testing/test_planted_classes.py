"""check_hypothesis_class: wrong somewhere is wrong, unusual but right is right; a row for each kind.

Each defect is caught by the check that its row names; the right objects fail none.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from plain_objects import PlainParities, TenLineParities

import gradvar as gv
from gradvar.testing import check_hypothesis_class


class Table:
    """A table of functions on weighted points, with everything that a class may say."""

    def __init__(self, values=None, points=None, weights=None):
        rng = np.random.default_rng(3)
        self.values = rng.normal(size=(6, 9)) if values is None else np.array(values, dtype=float)
        n = self.values.shape[1]
        points = rng.normal(size=(n, 2)) if points is None else points
        self.weights = np.arange(1, n + 1) / (n * (n + 1) / 2) if weights is None else np.array(weights)
        self.inputs = gv.FiniteClass(np.ones((1, n)), points, self.weights).inputs
        self.log2_size = math.log2(len(self.values))

    def at(self, x):
        return (x[:, None] == self.inputs.points(0, self.inputs.n_points)).all(axis=2).argmax(axis=1)

    def sample(self, m, rng):
        return rng.integers(0, len(self.values), size=m)

    def evaluate(self, members, x):
        return self.values[members][:, self.at(x)]

    def members(self):
        return np.arange(len(self.values))

    def mean(self, x):
        return self.values.mean(axis=0)[self.at(x)]

    def covariance(self, x, x2):
        centred = self.values - self.values.mean(axis=0)
        return (centred.T @ centred / len(centred))[self.at(x)][:, self.at(x2)]

    def operator_norm(self, centred=True):
        values = self.values - self.values.mean(axis=0) if centred else self.values
        return float(np.linalg.eigvalsh((values * self.weights) @ values.T)[-1]) / len(values)

    def project(self, f):
        return self.values * self.weights @ f

    def gram(self):
        return self.values * self.weights @ self.values.T


class Lines:
    """Six linear functions <v, x> under Gaussian inputs: members that are listed, inputs that are not."""

    def __init__(self):
        self.v = np.random.default_rng(5).normal(size=(6, 3))
        self.inputs, self.log2_size = gv.Gaussian(3), math.log2(6)

    def sample(self, m, rng):
        return rng.integers(0, 6, size=m)

    def evaluate(self, members, x):
        return self.v[members] @ x.T

    def members(self):
        return np.arange(6)

    def mean(self, x):
        return x @ self.v.mean(axis=0)

    def covariance(self, x, x2):
        return x @ np.cov(self.v.T, bias=True) @ x2.T

    def operator_norm(self, centred=True):
        return float(
            np.linalg.eigvalsh(np.cov(self.v.T, bias=True) if centred else (self.v.T @ self.v / len(self.v)))[-1]
        )


class Unordered:
    """x_i x_j for i != j: both (i, j) and (j, i) name it."""

    labels, is_orthonormal = "signs", True

    def __init__(self, dim=6):
        self.inputs, self.log2_size = gv.Hypercube(dim), math.log2(math.comb(dim, 2))

    def sample(self, m, rng):
        first, other = rng.integers(self.inputs.dim, size=m), rng.integers(self.inputs.dim - 1, size=m)
        return np.stack([first, other + (other >= first)], axis=1)

    def evaluate(self, members, x):
        return (x[:, members[:, 0]] * x[:, members[:, 1]]).T


def made(base, *arguments, **members):
    return type("Defective", (base,), members)(*arguments)


def off_the_diagonal(self, x, x2):
    equal = (x[:, None] == x2).all(axis=2)
    return Table.covariance(self, x, x2) * np.where(equal, 1.0, 1.001)


def far(x):
    return 1 + 0.01 * (x[:, 0] > 2)


def biased(self, m, rng):
    return np.where(rng.random(m) < 0.3, 0, rng.integers(0, len(self.values), size=m))


def never_the_last(self, m, rng):
    return rng.integers(0, len(self.values) - 1, size=m)


class Inputs:
    def __init__(self, table, **members):
        inputs = table.inputs
        self.dim, self.n_points = inputs.dim, inputs.n_points
        self.sample, self.points, self.weights = inputs.sample, inputs.points, inputs.weights
        self.__dict__.update(members)


def hundred(self):
    self.v = np.random.default_rng(5).normal(size=(100, 3))
    self.inputs, self.log2_size = gv.Gaussian(3), math.log2(100)


def on(**members):
    H = Table()
    H.inputs = Inputs(H, **members)
    return H


def many(**members):
    H = TenLineParities(13)
    H.inputs = Inputs(H, **members)
    return H


class Cached(TenLineParities):
    """Remembers the values of the first members that it was asked for."""

    def evaluate(self, members, x):
        values = TenLineParities.evaluate(self, members, x)
        return self.__dict__.setdefault(values.shape, values)


def noisy(base, scale=1e-3):
    return lambda self, members, x: base.evaluate(self, members, x) + scale * np.random.default_rng().normal()


def flipping(self, members, x):
    return TenLineParities.evaluate(self, members, x) * np.where(np.random.random() < 0.5, -1.0, 1.0)  # noqa: NPY002


def sized(log2_size, base=TenLineParities, dim=8, **members):
    H = made(base, dim, **members)
    H.log2_size = log2_size
    return H


PLAIN = Table()

CLASSES = {
    "covariance: in a region": lambda: made(Lines, covariance=lambda self, x, x2: (
        Lines.covariance(self, x, x2) * far(x)[:, None] * far(x2))),
    "covariance: off the diagonal": lambda: made(Table, covariance=off_the_diagonal),
    "covariance: not centred": lambda: made(Table, covariance=lambda self, x, x2: (
        Table.covariance(self, x, x2) + np.outer(self.mean(x), self.mean(x2)))),
    "covariance: over |H| - 1": lambda: made(Lines, covariance=lambda self, x, x2: (
        Lines.covariance(self, x, x2) * 6 / 5)),
    "covariance: at one point": lambda: made(TenLineParities, 4, covariance=lambda self, x, x2: (
        TenLineParities.covariance(self, x, x2) + np.outer((x < 0).all(axis=1), (x2 < 0).all(axis=1)))),
    "covariance-positive": lambda: made(TenLineParities, 8, covariance=lambda self, x, x2: (
        TenLineParities.covariance(self, x, x2) - 0.01)),
    "covariance-symmetric": lambda: made(TenLineParities, 8, covariance=lambda self, x, x2: (
        TenLineParities.covariance(self, x, x2) + 1e-4 * (x[:, :1] > x2[:, 0]))),
    "covariance-batch": lambda: made(Lines, covariance=lambda self, x, x2: (
        Lines.covariance(self, x, x2) * (len(x) != 1))),
    "covariance-batch: large blocks": lambda: made(Lines, covariance=lambda self, x, x2: (
        Lines.covariance(self, x, x2) * np.where(np.arange(len(x2)) < 128, 1, 2))),
    "covariance-batch: x for x' where they are as many": lambda: made(Lines, covariance=lambda self, x, x2: (
        Lines.covariance(self, x, x if len(x) == len(x2) else x2))),
    "covariance-batch: order in memory": lambda: made(Lines, covariance=lambda self, x, x2: (
        Lines.covariance(self, x.ravel(order="K").reshape(x.shape), x2))),
    "covariance: changes x": lambda: made(Lines, covariance=lambda self, x, x2: (
        Lines.covariance(self, np.abs(x, out=x), x2))),
    "mean: in a region": lambda: made(Lines, mean=lambda self, x: Lines.mean(self, x) * far(x)),
    "mean: of odd numbers of inputs": lambda: made(Lines, mean=lambda self, x: (
        Lines.mean(self, x) * (1 + 0.1 * (len(x) % 2)))),
    "mean: of even numbers of inputs": lambda: made(Lines, mean=lambda self, x: (
        Lines.mean(self, x) * (1.1 - 0.1 * (len(x) % 2)))),
    "mean: without one of a hundred": lambda: made(Lines, __init__=hundred, members=lambda self: np.arange(100),
                                                   mean=lambda self, x: x @ self.v[:-1].sum(axis=0) / 100),
    "mean: of the first half": lambda: made(Table, mean=lambda self, x: self.values[:3].mean(axis=0)[self.at(x)]),
    "mean: zero": lambda: made(Lines, mean=lambda self, x: 0 * x[:, 0]),
    "operator-norm: uncentred": lambda: made(Table, operator_norm=lambda self, centred=True: (
        Table.operator_norm(self, False))),
    "operator-norm-uncentred: centred": lambda: made(Table, operator_norm=lambda self, centred=True: (
        Table.operator_norm(self, True))),
    "operator-norm: times |H|": lambda: made(Lines, operator_norm=lambda self, centred=True: (
        6 * Lines.operator_norm(self, centred))),
    "operator-norm: under Gaussian inputs": lambda: made(Lines, operator_norm=lambda self, centred=True: (
        0.5 * Lines.operator_norm(self, centred))),
    "operator-norm-uncentred: under Gaussian inputs": lambda: made(Lines, operator_norm=lambda self, centred=True: (
        Lines.operator_norm(self, centred) * (1 if centred else 3))),
    "operator-norm-uncentred: of an orthonormal class": lambda: sized(
        13.0, dim=13, is_orthonormal=True, operator_norm=lambda self, centred=True: 2.0**-12),
    "log2-operator-norm: natural": lambda: made(Table, log2_operator_norm=lambda self, centred=True: math.log(
        self.operator_norm(centred))),
    "project: without the weights": lambda: made(Table, project=lambda self, f: self.values @ f / 9),
    "project: another order": lambda: made(Table, project=lambda self, f: Table.project(self, f)[::-1]),
    "project: centred": lambda: made(Table, project=lambda self, f: (
        Table.project(self, f) - Table.project(self, f).mean(axis=0))),
    "project: one function too few": lambda: made(Table, project=lambda self, f: Table.project(self, f[:, :2])),
    "project: changes f": lambda: made(Table, project=lambda self, f: (
        Table.project(self, np.multiply(f, 2, out=f)) / 2)),
    "gram: centred": lambda: made(Table, gram=lambda self: np.cov(self.values, bias=True)),
    "sample-uniform: biased to one": lambda: made(Table, sample=biased),
    "sample-uniform: never the last": lambda: made(Table, sample=never_the_last),
    "sample-uniform: one of a hundred never": lambda: made(
        Lines, __init__=hundred, members=lambda self: np.arange(100),
        sample=lambda self, m, rng: rng.integers(99, size=m)),
    "sample-uniform: one of a hundred four times as often": lambda: made(
        Lines, __init__=hundred, members=lambda self: np.arange(100),
        sample=lambda self, m, rng: np.minimum(rng.integers(103, size=m), 99)),
    "sample-uniform: never the empty set": lambda: made(PlainParities, 8, sample=lambda self, m, rng: (
        1 + rng.integers(255, size=m))[:, None] >> np.arange(8) & 1 == 1),
    "sample-uniform: of many": lambda: made(PlainParities, 10, sample=lambda self, m, rng: rng.random((m, 10)) < 0.45),
    "size: not uniform, no members": lambda: made(
        TenLineParities, 12, sample=lambda self, m, rng: rng.random((m, 12)) < 0.2),
    "size: always one": lambda: made(TenLineParities, 8, sample=lambda self, m, rng: np.repeat(
        rng.random((1, 8)) < 0.5, m, axis=0)),
    "sample: without replacement": lambda: made(Lines, sample=lambda self, m, rng: rng.permutation(6)[:m]),
    "size: smaller than what is drawn": lambda: sized(5.0),
    "size: natural logarithm": lambda: sized(8 * math.log(2)),
    "size: one less": lambda: sized(7.0),
    "size: of distant members": lambda: sized(16.0, dim=24),
    "size: much too large": lambda: sized(20.0),
    "size: infinite": lambda: sized(math.inf, dim=6),
    "size: minus one": lambda: sized(math.log2(255)),
    "size: of 32, 32 bits are claimed": lambda: sized(32.0, PlainParities, 5, size=None,
                                                         members=lambda self: np.zeros((32, 5), dtype=bool)),
    "members: one missing": lambda: made(Table, members=lambda self: np.arange(5)),
    "sample-uniform: one listed twice": lambda: made(PlainParities, 9, members=lambda self: np.concatenate(
        [PlainParities.members(self)[:1], PlainParities.members(self)[:-1]])),
    "evaluate-batch: large batches": lambda: made(Lines, evaluate=lambda self, members, x: (
        Lines.evaluate(self, members, x) * np.where(np.arange(len(x)) < 200, 1, 2))),
    "evaluate-batch: many members": lambda: made(Lines, evaluate=lambda self, members, x: (
        Lines.evaluate(self, members, x) * np.where(np.arange(len(members)) < 64, 1, 2)[:, None])),
    "evaluate-batch: sorts": lambda: made(Lines, evaluate=lambda self, members, x: (
        np.sort(Lines.evaluate(self, members, x)))),
    "evaluate-batch: order in memory": lambda: made(Lines, evaluate=lambda self, members, x: (
        Lines.evaluate(self, members, x.ravel(order="K").reshape(x.shape)))),
    "evaluate-batch: centred": lambda: made(Lines, evaluate=lambda self, members, x: (
        Lines.evaluate(self, members, x - x.mean(axis=0) if len(x) else x))),
    "evaluate-batch: remembers": lambda: Cached(6),
    "evaluate-pure: noise": lambda: made(Lines, evaluate=noisy(Lines)),
    "evaluate-pure: a coin": lambda: made(TenLineParities, 6, evaluate=flipping),
    "evaluate-pure: changes x": lambda: made(Lines, evaluate=lambda self, members, x: (
        Lines.evaluate(self, members, np.multiply(x, 2, out=x) / 2))),
    "evaluate: float32": lambda: made(Lines, evaluate=lambda self, members, x: (
        Lines.evaluate(self, members, x).astype(np.float32))),
    "evaluate: nan far out": lambda: made(Lines, evaluate=lambda self, members, x: (
        Lines.evaluate(self, members, x) * np.where(x[:, 1] < -2.5, np.nan, 1))),
    "labels: zero at a tie": lambda: made(TenLineParities, 4, evaluate=lambda self, members, x: np.sign(
        np.where(members, 1.0, 0.5) @ x.T), covariance=None),
    "labels: {0, 1}": lambda: made(Lines, labels="signs", evaluate=lambda self, members, x: (
        Lines.evaluate(self, members, x) > 0).astype(float), covariance=None, mean=None),
    "labels: far out": lambda: made(Lines, labels="signs", covariance=None, mean=None, evaluate=lambda self, m, x: (
        np.where(Lines.evaluate(self, m, x) > 0, 1.0, -1.0) * np.where(x[:, 2] > 2.8, 2, 1))),
    "orthonormal: two of many": lambda: made(PlainParities, 4, gram=None, covariance=None, mean=None, project=None,
                                             operator_norm=None, log2_operator_norm=None, inner_products=None,
                                             evaluate=lambda self, members, x: PlainParities.evaluate(
                                                 self, members & ~members.all(axis=1, keepdims=True), x)),
    "orthonormal: a list with both names": lambda: sized(
        math.log2(12), Unordered, 4, members=lambda self: np.argwhere(~np.eye(4, dtype=bool))),
    "orthonormal: scaled": lambda: made(Unordered, evaluate=lambda self, members, x: (
        1.1 * Unordered.evaluate(self, members, x)), labels="real"),
    "orthonormal: every function twice": lambda: made(TenLineParities, 9, is_orthonormal=True, covariance=None,
                                                      evaluate=lambda self, members, x: np.where(
                                                          members[:, None, 1:], x[:, 1:], 1.0).prod(axis=2)),
    "null-functions": lambda: made(gv.SparseParities, 6, 2, null_functions=lambda self, x: np.stack(
        [np.ones(len(x)), x[:, 0] * x[:, 1] + x[:, 2]], axis=1)),
    "inner-products": lambda: made(PlainParities, 5, inner_products=lambda self, a, b: 1.0 * (
        (a[:, None] == b).sum(axis=2) >= 4)),
    "input-points: weights do not sum to one": lambda: on(weights=lambda i, j: PLAIN.weights[i:j] * 1.001),
    "input-points: negative": lambda: on(weights=lambda i, j: (
        PLAIN.weights + 0.1 * np.eye(9)[8] - 0.1 * np.eye(9)[0])[i:j]),
    "input-sampling: without the weights": lambda: on(sample=lambda n, rng: (
        PLAIN.inputs.points(0, 9)[rng.integers(9, size=n)])),
    "input-sampling: one never": lambda: on(sample=lambda n, rng: PLAIN.inputs.points(0, 8)[rng.choice(
        8, size=n, p=PLAIN.weights[:8] / PLAIN.weights[:8].sum())]),
    "input-sampling: of many points": lambda: many(
        sample=lambda n, rng: np.where(rng.random((n, 13)) < 0.45, 1.0, -1.0)),
    "input-sampling: coordinates that are equal": lambda: many(sample=lambda n, rng: np.where(
        rng.random((n, 13)) < 0.5, 1.0, -1.0)[:, [0, 0, *range(2, 13)]]),
    "input-sampling: many weights": lambda: many(weights=lambda i, j: np.where(np.arange(i, j) < 4096, 1, 0.9) / 2**13),
    "input-sampling: elsewhere": lambda: on(sample=lambda n, rng: PLAIN.inputs.sample(n, rng) + 1e-3),
    "inputs: the global generator": lambda: on(sample=lambda n, rng: PLAIN.inputs.points(0, 9)[
        np.random.randint(9, size=n)]),  # noqa: NPY002
    "sample: the global generator": lambda: made(Table, sample=lambda self, m, rng: np.random.randint(6, size=m)),  # noqa: NPY002
    "sample: one too many": lambda: made(Table, sample=lambda self, m, rng: rng.integers(6, size=m + 1)),
    "sample: none but the first": lambda: made(Table, sample=lambda self, m, rng: np.arange(m) % 6),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_a_wrong_class_is_caught_by_the_check_that_answers_for_it(name: str):
    np.random.seed(0)  # noqa: NPY002 - some of them draw from the global generator
    report = check_hypothesis_class(CLASSES[name](), rng=4)
    assert name.split(":")[0] in {result.name for result in report.failures}, report


class Pairs(Unordered):
    """Unordered pairs with a list of them, in either order."""

    def members(self):
        pairs = np.array([(i, j) for i in range(self.inputs.dim) for j in range(i)])
        return np.where(np.arange(len(pairs))[:, None] % 2 == 0, pairs, pairs[:, ::-1])


class Signed:
    """{+x_i, -x_i}: as many members as descriptions, not orthonormal, and nothing said of it."""

    def __init__(self, dim=3):
        self.inputs, self.log2_size = gv.Gaussian(dim), math.log2(2 * dim)

    def sample(self, m, rng):
        return [(int(rng.integers(self.inputs.dim)), float(rng.choice([-1, 1]))) for _ in range(m)]

    def evaluate(self, members, x):
        return np.array([sign * x[:, i] for i, sign in members]).reshape(len(members), len(x))


class Shifts:
    """cos(<x, 1> + phase) of a uniform phase: an infinite class, with its exact covariance."""

    log2_size = np.float64(np.inf)

    def __init__(self, dim=2):
        self.inputs = gv.Gaussian(dim)

    def sample(self, m, rng):
        return rng.uniform(0, 2 * np.pi, size=m)

    def evaluate(self, members, x):
        return np.cos(x.sum(axis=1) + members[:, None])

    def mean(self, x):
        return np.zeros(len(x))

    def covariance(self, x, x2):
        return np.cos(x.sum(axis=1)[:, None] - x2.sum(axis=1)) / 2


RIGHT_CLASSES = {
    "table": Table,
    "lines": Lines,
    "several descriptions": Unordered,
    "several descriptions, on more inputs": lambda: Unordered(20),
    "several descriptions, in a list": lambda: Pairs(5),
    "several descriptions, in a list of many": lambda: Pairs(30),
    "signs that are not independent": Signed,
    "infinite": Shifts,
    "one member": lambda: Table([[1.0, -2.0, 3.0]]),
    "one point": lambda: Table([[1.0], [-1.0], [0.5]], [[0.0]]),
    "zero": lambda: Table(np.zeros((3, 4))),
    "constants": lambda: Table(np.outer([1.0, 2.0, 3.0], np.ones(4))),
    "tiny": lambda: Table(1e-100 * np.random.default_rng(0).normal(size=(5, 6))),
    "huge": lambda: Table(1e100 * np.random.default_rng(0).normal(size=(5, 6))),
    "members that are equal": lambda: Table([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0]]),
    "members that are nearly equal": lambda: Table([[1.0, 2.0], [1.0, 2.0 + 1e-7], [2.0, 1.0]]),
    "a point of probability 0": lambda: Table(np.eye(3), None, [0.5, 0.5, 0.0]),
    "rare points": lambda: Table(np.eye(4), None, [0.97, 0.01, 0.01, 0.01]),
    "a sample and values only": lambda: made(Table, members=None, mean=None, covariance=None, operator_norm=None,
                                             project=None, gram=None),
    "whole numbers": lambda: made(TenLineParities, 5, evaluate=lambda self, m, x: (
        TenLineParities.evaluate(self, m, x).astype(np.int8))),
    "columns that lie together": lambda: made(Lines, evaluate=lambda self, m, x: np.asfortranarray(
        Lines.evaluate(self, m, x)), mean=lambda self, x: np.repeat(Lines.mean(self, x), 2)[::2]),
    "a value for all inputs": lambda: made(Shifts, mean=lambda self, x: np.broadcast_to(0.0, len(x))),
    "numbers without dimensions": lambda: made(Table, operator_norm=lambda self, centred=True: np.array(
        Table.operator_norm(self, centred))),
    "members as a tuple": lambda: made(Table, sample=lambda self, m, rng: tuple(Table.sample(self, m, rng)),
                                       evaluate=lambda self, members, x: Table.evaluate(
                                           self, np.array(members, dtype=int), x)),
    "many parities": lambda: TenLineParities(100),
    "parities without a list": lambda: TenLineParities(4),
    "more members and points than fit": lambda: PlainParities(11),
    "neurons on the sphere": lambda: gv.RandomNetworks(5, (), "relu", weights="sphere"),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT_CLASSES)
@pytest.mark.parametrize("seed", [0, 1])
def test_an_unusual_class_that_is_right_passes(name: str, seed: int):
    check_hypothesis_class(RIGHT_CLASSES[name](), rng=seed).raise_if_failed()
