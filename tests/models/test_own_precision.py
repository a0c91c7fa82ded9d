"""A model of one's own that says nothing of its precision is looked at, and what it computes in is in every number."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import gradvar as gv
from gradvar.core.activations import ACTIVATIONS
from gradvar.core.numbers import Scaled
from gradvar.estimation.settings import Settings
from gradvar.models.precision import unit_of_digits
from gradvar.problem import Moment
from gradvar.verbs.precision import within_precision

W, V = np.random.default_rng(0).standard_normal((5, 8)) / 6, np.random.default_rng(1).standard_normal(5)
H = gv.SparseParities(8, 7)
Given = Callable[[np.ndarray], np.ndarray]


class Own:
    """tanh(x W^T) v by the methods of a model alone, in any dtype, and what becomes of its results."""

    n_parameters = 45

    def __init__(self, dtype: type = np.float64, given: Given = lambda values: values) -> None:
        self.w, self.v, self.dtype, self.given = W.astype(dtype), V.astype(dtype), dtype, given

    def hidden(self, x: np.ndarray) -> np.ndarray:
        return np.tanh(x.astype(self.dtype) @ self.w.T)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.given(self.hidden(x) @ self.v)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        h = self.hidden(x)
        first = ((1 - h * h) * self.v)[:, :, None] * x.astype(self.dtype)[:, None]
        return self.given(np.concatenate([first.reshape(len(x), -1), h], axis=1))


class OwnFactors(Own):
    def tangent_factors(self, x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        h = self.hidden(x)
        parts = ((x, (1 - h * h) * self.v), (h, np.ones((len(x), 1))))
        return [(self.given(a), self.given(b)) for a, b in parts]

    def gradient(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class Heir(gv.Linear):
    """A class of the library with a gradient of one's own."""

    def tangent_factors(self, x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(a.astype(np.float32), b) for a, b in super().tangent_factors(x * np.pi)]


def as_double(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64)


def hidden_in(values: np.ndarray) -> np.ndarray:
    return 1.1 * values.astype(np.float64) / 1.1


LESS = {
    "float32": lambda: Own(np.float32),
    "float16": lambda: Own(np.float16),
    "float32 as float64": lambda: Own(np.float32, as_double),
    "float16 as float64": lambda: Own(np.float16, as_double),
    "float32 inside": lambda: Own(np.float32, hidden_in),
    "float16 inside": lambda: Own(np.float16, hidden_in),
    "factors in float16 inside": lambda: OwnFactors(np.float16, hidden_in),
    "factors in float32": lambda: OwnFactors(np.float32),
    "factors in float16 as float64": lambda: OwnFactors(np.float16, as_double),
    "a function of float16 as float64": lambda: gv.from_function(
        Own(np.float16, as_double).predict, Own(np.float16, as_double).gradient, 45
    ),
    "rounded at the end": lambda: Own(np.float64, lambda values: values.astype(np.float16).astype(float)),
}


@pytest.mark.parametrize("name", LESS)
def test_less_than_float64_is_in_the_numbers_and_in_the_report(name: str):
    truth = gv.gradient_variance(H, Own()).value
    check = gv.bound_check(H, LESS[name]())
    for found in (check.variance, check.gradient_norm_sq, check.signal_norm_sq):
        assert "the model's own rounding" in found.guarantee
        assert found.interval[1] - found.interval[0] > 1e-8 * found.value
    assert check.variance.interval[0] <= truth <= check.variance.interval[1]
    # exact, up to what is said where it is printed
    assert check.variance.exact
    for text in (" ".join(str(check).split()), check._repr_html_()):
        assert "the model's own rounding" in text or "the model&#x27;s own rounding" in text
        assert "float64 rounding" not in text
        assert check.variance.is_tight or f"exact up to rounding, [{check.variance.interval[0]:.6g}" in text


def test_a_class_that_inherits_a_model_of_the_library_is_looked_at_too():
    assert 2.0**-24 <= gv.Problem(H, Heir([0.3] * 8)).rounding < 1e-5


def steps(x: np.ndarray) -> np.ndarray:
    return np.sign(x @ np.ones((8, 3)) + np.arange(3))


FULL = {
    "float64": Own,
    "factors": OwnFactors,
    "waves": lambda: gv.from_function(
        lambda x: np.cos(300 * x @ V[[0] * 8]), lambda x: -np.sin(300 * x @ V[[0] * 8])[:, None] * x, 8
    ),
    "steps": lambda: gv.from_function(lambda x: steps(x).sum(axis=1), steps, 3),
    "saturated": lambda: gv.from_function(
        lambda x: np.tanh(40 * x @ W.T) @ V,
        lambda x: ((V / np.cosh(np.clip(40 * x @ W.T, -300, 300)) ** 2)[:, :, None] * x[:, None]).reshape(len(x), -1),
        40,
    ),
    "rectified": lambda: gv.from_function(lambda x: np.maximum(x @ W.T, 0) @ V, lambda x: np.maximum(x @ W.T, 0), 5),
    "whole numbers": lambda: gv.from_function(lambda x: 8 + np.rint(x @ np.arange(8)), lambda x: np.rint(3 * x), 8),
    "nothing": lambda: gv.from_function(lambda x: np.zeros(len(x)), lambda x: np.zeros((len(x), 2)), 2),
    "one input": lambda: gv.from_function(lambda x: x[:, 0], lambda x: x[:, :1], 1),
}


@pytest.mark.parametrize("name", FULL)
def test_float64_is_not_taken_for_less(name: str):
    for inputs in (gv.SparseParities(8, 2), gv.LinearPeriodic(8, radius=2.0)):
        assert gv.Problem(inputs, FULL[name]()).rounding == 0


class Copy:
    """A network of the library as a model of one's own."""

    def __init__(self, model: gv.MLP) -> None:
        self.n_parameters, self.predict, self.gradient = model.n_parameters, model.predict, model.gradient


class CopyOfFactors(Copy):
    def __init__(self, model: gv.MLP) -> None:
        super().__init__(model)
        self.tangent_factors = model.tangent_factors


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_no_network_of_float64_is_taken_for_less(activation: str):
    """However steep, saturated, small or kinked it is; waves shorter than the steps of a look among them."""
    for sizes in ([8, 6, 1], [8, 16, 16, 1]):
        model = gv.MLP.random(sizes, activation, rng=1)
        for scale in (1e-6, 1e-3, 1.0, 10.0, 1e2, 1e4, 1e8):
            scaled = model.with_parameters(model.parameters * scale)
            for made in (Copy, CopyOfFactors):
                assert gv.Problem(H, made(scaled)).rounding == 0, (sizes, scale, made)


@pytest.mark.parametrize(("bits", "dtype"), [(8, None), (11, np.float16), (24, np.float32)])
@pytest.mark.parametrize("scale", [2.0**-8, 1.0])
def test_digits_say_what_numbers_were_rounded_to(bits: int, dtype: type | None, scale: float):
    full = np.random.default_rng(0).standard_normal(100)
    mantissas, exponents = np.frexp(full)
    rounded = np.ldexp(np.rint(np.ldexp(mantissas, bits)), exponents - bits)
    assert dtype is None or np.array_equal(rounded, full.astype(dtype).astype(float))
    assert unit_of_digits(scale * rounded) == 2.0**-bits
    assert unit_of_digits(full) == unit_of_digits(np.append(rounded, full[0])) == 0
    # small whole numbers need fewer digits than anything that was rounded
    assert unit_of_digits(np.arange(20.0)) == unit_of_digits(np.tile([0.0, 1.0, -1.0], 40)) == 0


class OnlyCovariance:
    """Real labels of a class that says its covariance alone, on infinitely many inputs."""

    log2_size = 3.0
    inputs = gv.Gaussian(2)

    def covariance(self, x: np.ndarray, x2: np.ndarray) -> np.ndarray:
        return 100 * x @ x2.T


def test_labels_of_any_size_are_not_taken_for_labels_of_at_most_1():
    w = np.array([0.3, -0.2])
    full = gv.from_function(lambda x: np.tanh(x @ w), lambda x: x / np.cosh(x @ w)[:, None] ** 2, 2)
    low = gv.from_function(full.predict, lambda x: full.gradient(x).astype(np.float16), 2)
    found, truth = (gv.gradient_variance(OnlyCovariance(), m, rtol=0, max_samples=4096, rng=0) for m in (low, full))
    assert "E_x C_H(x, x) as at 1,024 inputs for the norm of the class" in found.guarantee
    rounding = gv.Problem(OnlyCovariance(), low).rounding
    # T_C has the norm 100 and the trace 200: Var^1/2 may move by rounding (100 E||s||^2)^1/2 at least
    shift = rounding * (100 * found.norms[1].value) ** 0.5
    assert found.interval[1] ** 0.5 - truth.interval[1] ** 0.5 > 0.9 * shift


@pytest.mark.parametrize("loss", ["square", "correlation"])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_labels_of_tasks_may_have_any_size(loss: str, size: float):
    """Neither too small, for large labels and predictions, nor more than small ones can move."""
    rng, w = np.random.default_rng(0), np.array([2.0, -3.0])
    full = gv.from_function(lambda x: np.tanh(x @ w), lambda x: x / np.cosh(x @ w)[:, None] ** 2, 2)
    low = gv.from_function(full.predict, lambda x: full.gradient(x).astype(np.float16), 2)
    data = [(rng.standard_normal((50, 2)), size * rng.standard_normal(50)) for _ in range(6)]
    tasks = gv.TaskClass.from_datasets(data)
    found, truth = (gv.gradient_variance(tasks, model, loss).value for model in (low, full))
    low_end, high_end = gv.gradient_variance(tasks, low, loss).interval
    assert low_end <= truth <= high_end
    # u = (slope p - y) g, rounded to (1 + e) slope p g - (1 + e') y g, |e|, |e'| <= rounding
    x, y = np.concatenate([x for x, _ in data]), np.concatenate([y for _, y in data])
    factor = np.abs(full.predict(x)) * (loss == "square") + np.abs(y)
    most = np.mean(factor**2 * (full.gradient(x) ** 2).sum(axis=1))
    shift = gv.Problem(tasks, low).rounding * most**0.5
    assert high_end**0.5 - found**0.5 == pytest.approx(shift, rel=0.2)  # 1024 examples of 300 rows


def data_sets() -> gv.TaskClass:
    rng = np.random.default_rng(0)
    return gv.TaskClass.from_datasets([(rng.standard_normal((50, 8)), rng.standard_normal(50)) for _ in range(6)])


@pytest.mark.parametrize("tasks", [gv.PlantedParities(8, 3), data_sets()], ids=["planted", "data sets"])
@pytest.mark.parametrize("loss", ["square", "correlation"])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_norms_over_tasks_hold_the_rounding_of_the_model(tasks: gv.TaskClass, loss: str, kind: type):
    full = Own()
    low = gv.from_function(full.predict, lambda x: full.gradient(x).astype(kind), 45)
    check, truth = (gv.bound_check(tasks, model, loss, rng=0) for model in (low, full))
    for name in ("gradient_norm_sq", "signal_norm_sq", "example_norm_sq"):
        found, exact = getattr(check, name), getattr(truth, name)
        assert "the model's own rounding" in found.guarantee
        assert "the model's own rounding" not in exact.guarantee
        assert found.interval[0] <= exact.value <= found.interval[1]
        assert not exact.interval[0] <= found.value <= exact.interval[1]  # without it the interval would not hold
        shift = gv.Problem(tasks, low, loss).rounding * found.value**0.5
        moved = found.interval[1] ** 0.5 - found.value**0.5
        if name == "example_norm_sq":  # a and y b may cancel; of 1024 examples
            assert 0.8 * shift <= moved <= 4 * shift
        else:
            assert moved == pytest.approx(shift, rel=1e-3)


def test_sampled_norms_over_tasks_hold_the_rounding_of_the_model():
    tasks, w = gv.PlantedParities(40, 3), np.linspace(-0.3, 0.3, 40)
    full = gv.from_function(lambda x: np.tanh(x @ w), lambda x: x / np.cosh(x @ w)[:, None] ** 2, 40)
    low = gv.from_function(full.predict, lambda x: full.gradient(x).astype(np.float16), 40)
    check, truth = (gv.bound_check(tasks, model, rng=0, rtol=0, max_samples=1000) for model in (low, full))
    for name in ("gradient_norm_sq", "signal_norm_sq", "example_norm_sq"):
        low_end, high_end = getattr(check, name).interval
        narrow = getattr(truth, name).interval
        assert low_end < narrow[0] <= narrow[1] < high_end


def test_what_is_assumed_of_a_norm_that_nobody_knows_is_said():
    exact = gv.Estimate.exactly(Scaled(1.0), "closed-form", "exact up to float64 rounding")
    problem = gv.Problem(OnlyCovariance(), gv.from_function(lambda x: x[:, 0], np.float32, 2))
    second = replace(problem, moment=Moment.SECOND)  # of which the covariance alone is not enough
    found = within_precision(exact, second, Settings.checked(0.1, 0.95, 64, 0, None, False))
    assert "if the norm of the class, which it does not say, is at most 1" in found.guarantee


def test_a_spectrum_warns_of_the_rounding_of_its_model():
    truth = gv.degree_spectrum(Own(), dim=8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gv.degree_spectrum(gv.MLP.random([4, 2, 1], rng=0))
    with pytest.warns(UserWarning, match=r"the model's own rounding, .* of its gradients, moves the root of entry k"):
        found = gv.degree_spectrum(Own(np.float32), dim=8)
    # as the warning says: (entry k)^1/2 is off by rounding (E||s||^2 / C(d, k))^1/2 at most
    counts = np.array([1, 8, 28, 56, 70, 56, 28, 8, 1])
    off = gv.Problem(gv.Parities(8), Own(np.float32)).rounding * np.sqrt((truth * counts).sum() / counts)
    assert (np.abs(np.sqrt(found) - np.sqrt(truth)) <= off).all()
