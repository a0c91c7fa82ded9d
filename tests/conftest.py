"""Models and classes beside their reference versions, which the tests share; and the markers.

`alone` marks what looks at time, at threads, at memory or at BLAS: it runs after the others, with the machine to
itself (the README's test command). `large` marks what takes too long without the JIT.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import gradvar as gv
from gradvar.testing import reference

Array = np.ndarray


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "large: too slow without the JIT (deselect with -m 'not large')")
    config.addinivalue_line("markers", "alone: looks at time, threads, memory or BLAS; runs after the others")
    if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the cores, so one thread of BLAS each
        threadpool_limits(1, user_api="blas")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m alone` reads the dozen files that have such tests: all files take ten seconds, which nobody else uses."""
    is_tests = config.option.markexpr == "alone" and collection_path.suffix == ".py"
    return True if is_tests and "mark.alone" not in collection_path.read_text() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every worker must collect the same tests, so no name may hold an address of its process."""
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid} is named by an address: give its parameters `ids=` without one")


@dataclass(frozen=True)
class SlowModel:
    """A model of the library beside the reference's predictions and Jacobian of the same function."""

    model: object
    predict: Callable[[Array], Array]
    gradient: Callable[[Array], Array]


@dataclass(frozen=True)
class SlowClass:
    """A class of the library beside the reference's table of the same functions on weighted points."""

    H: object
    table: Array
    points: Array
    weights: Array

    def variance(self, model: SlowModel, loss: reference.Loss) -> float:
        """The reference: the variance over the members of the gradients of their risks."""
        return reference.gradient_variance(self.gradients(model, loss))

    def gradients(self, model: SlowModel, loss: reference.Loss) -> Array:
        predictions, jacobian = model.predict(self.points), model.gradient(self.points)
        return reference.gradients(self.table, self.weights, predictions, jacobian, loss)

    def assert_variance(self, value: float, model: SlowModel, loss: reference.Loss) -> None:
        """The value is the reference's to 1e-12, and to the rounding of the gradients themselves.

        Either side has the deviations grad F_h - mean with an error of norm `rounding` each, some eps times
        the norm of the terms they sum. Roots of variances are norms of these deviations over the class, so
        (Minkowski) the roots differ by `rounding` at most.
        """
        assert_same_variance(value, self.variance(model, loss), self.rounding(model, loss))

    def rounding(self, model: SlowModel, loss: reference.Loss) -> float:
        """16 eps max_h (E ||dl/dp g||^2)^(1/2)."""
        predictions, jacobian = model.predict(self.points), model.gradient(self.points)
        largest = 0.0
        for row in self.table:
            slopes = [reference.loss_derivative(loss, p, h) for p, h in zip(predictions, row, strict=True)]
            terms = (np.array(slopes)[:, None] * jacobian) ** 2
            largest = max(largest, float(self.weights @ terms.sum(axis=1)))
        return 16 * np.finfo(float).eps * largest**0.5


def assert_same_variance(value: float, expected: float, rounding: float) -> None:
    """|sqrt(value) - sqrt(expected)| is at most 5e-13 of the root plus `rounding`."""
    assert value >= 0
    assert abs(value**0.5 - expected**0.5) <= 5e-13 * expected**0.5 + rounding


def _mlp(sizes: list[int], activation: str, bias: bool, rng: np.random.Generator) -> SlowModel:
    weights = [rng.normal(size=(o, i)) / np.sqrt(i) for i, o in itertools.pairwise(sizes)]
    biases = [0.5 * rng.normal(size=o) for o in sizes[1:]] if bias else None
    return SlowModel(
        gv.MLP(weights, biases, activation=activation),
        lambda x: reference.mlp_predict(weights, biases, activation, x),
        lambda x: reference.mlp_gradient(weights, biases, activation, x),
    )


def build_slow_model(name: str, dim: int, seed: int = 0) -> SlowModel:
    """``linear``, ``cosine``, ``function``, or ``mlp-<widths>-<activation>[-nobias]``, as in mlp-3x2-tanh."""
    rng = np.random.default_rng([seed, dim])
    w = rng.normal(size=dim) / np.sqrt(dim)
    if name == "linear":
        return SlowModel(gv.Linear(w), lambda x: x @ w, lambda x: x.copy())
    if name == "cosine":
        return SlowModel(gv.Cosine(w), lambda x: np.cos(x @ w), lambda x: -np.sin(x @ w)[:, None] * x)
    if name == "function":  # p = exp(u) + c u v^2 at c = 1, u = <w, x>/2, v = x_0 + 1/2; parameters (w, c)

        def predict(x: Array) -> Array:
            return np.exp(x @ w / 2) + x @ w / 2 * (x[:, 0] + 0.5) ** 2

        def gradient(x: Array) -> Array:
            u, v = x @ w / 2, x[:, 0] + 0.5
            return np.column_stack([(np.exp(u) + v**2)[:, None] * x / 2, u * v**2])

        return SlowModel(gv.from_function(predict, gradient, dim + 1), predict, gradient)
    kind, widths, activation, *rest = name.split("-")
    assert kind == "mlp"
    hidden = [int(width) for width in widths.split("x") if width != "0"]
    return _mlp([dim, *hidden, 1], activation, rest != ["nobias"], rng)


def build_slow_class(name: str, dim: int, seed: int = 0) -> SlowClass:
    """``parities``, ``sparse-<degree>``, or on 12 weighted points ``finite-signs`` and ``finite-real``."""
    rng = np.random.default_rng([seed, dim, 1])
    cube = np.full(2**dim, 1 / 2**dim)
    if name == "parities":
        return SlowClass(gv.Parities(dim), reference.parity_table(dim), reference.cube(dim), cube)
    if name.startswith("sparse-"):
        degree = int(name.removeprefix("sparse-"))
        table = reference.parity_table(dim, degree)
        return SlowClass(gv.SparseParities(dim, degree), table, reference.cube(dim), cube)
    points = rng.normal(size=(12, dim))
    weights = rng.uniform(0.2, 1, size=12)
    weights = weights / weights.sum()
    signs = np.where(rng.random((7, 12)) < 0.5, 1.0, -1.0)
    table = {"finite-signs": signs, "finite-real": signs + rng.normal(size=(7, 12))}[name]
    return SlowClass(gv.FiniteClass(table, points, weights=weights), table, points, weights)


@pytest.fixture(scope="session")
def slow_model() -> Callable[..., SlowModel]:
    return build_slow_model


@pytest.fixture(scope="session")
def slow_class() -> Callable[..., SlowClass]:
    return build_slow_class


class Here(ThreadPoolExecutor):
    """Does a task where it is submitted: handing tasks to threads takes a fifth of the time of a small estimate."""

    def submit(self, function, /, *args):
        future = Future()
        future.set_result(function(*args))
        return future


@pytest.fixture(scope="session")
def here() -> Here:
    """The executor for many small estimates: the same bits as from threads."""
    return Here(1)


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> pytest.CaptureFixture[str]:
    """What is printed, in a terminal: bars are drawn there alone."""
    monkeypatch.setattr("gradvar.core.bars.is_watched", lambda: True)
    return capsys
