"""Theorem 1 as a property: Var <= L^2 G^2/|H| over random orthonormal classes, models and losses.

Theorem 1 asks for E h^2 <= 1 and E h h' = 0, so orthogonal functions of smaller norms are covered as well.
Both sides are also had from the reference, so that the theorem is tested and not only the library's opinion.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import gradvar as gv
from gradvar.testing import reference

MODELS = ["linear", "cosine", "function", "mlp-0-tanh", "mlp-3-relu-nobias", "mlp-2x2-gelu", "mlp-3-sin"]


def cosine_slope(margin, lipschitz: float):
    """r' of a margin loss that is nowhere monotone and has exactly this Lipschitz constant."""
    return lipschitz * np.cos(2 * margin + 1)


@st.composite
def losses(draw: st.DrawFn):
    """A loss of the library, the same for the reference, its Lipschitz constant."""
    name = draw(st.sampled_from(["square", "correlation", "hinge", "logistic", "perceptron", "margin"]))
    if name != "margin":
        return name, name, 1.0
    lipschitz = draw(st.sampled_from([0.5, 1.0, 3.0]))

    def slope(margin):
        return cosine_slope(margin, lipschitz)

    return gv.MarginLoss(slope, lipschitz), slope, lipschitz


@st.composite
def sign_classes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some of the parities: the table, the cube, its weights."""
    dim = draw(st.integers(1, 4))
    rows = sorted(draw(st.sets(st.integers(0, 2**dim - 1), min_size=1)))
    return reference.parity_table(dim)[rows], reference.cube(dim), np.full(2**dim, 0.5**dim)


@st.composite
def real_classes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """m <= n orthogonal functions with E h^2 <= 1 on n weighted points."""
    dim, n = draw(st.integers(1, 3)), draw(st.integers(1, 9))
    m = draw(st.integers(1, n))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = rng.uniform(0.1, 1, size=n)
    weights = weights / weights.sum()
    Q, _ = np.linalg.qr(rng.normal(size=(n, m)))
    norms = np.ones(m) if draw(st.booleans()) else rng.uniform(0.1, 1, size=m)
    return norms[:, None] * Q.T / np.sqrt(weights), rng.normal(size=(n, dim)), weights


def assert_theorem_1(classes, slow, loss, slow_loss, lipschitz: float) -> None:
    table, points, weights = classes
    H = gv.FiniteClass(table, points, weights=weights)
    predictions, jacobian = slow.predict(points), slow.gradient(points)
    variance = reference.gradient_variance(reference.gradients(table, weights, predictions, jacobian, slow_loss))
    bound = lipschitz**2 * reference.gradient_norm_sq(weights, jacobian) / len(table)
    assert variance <= bound * (1 + 1e-9)

    check = gv.bound_check(H, slow.model, loss)
    assert H.orthonormality[0] == "checked"
    assert H.is_orthonormal == np.allclose(np.diag(reference.gram(table, weights)), 1, rtol=0, atol=1e-13)
    assert check.bounds["theorem-1"].applicable
    assert check.bound_name == "theorem-1"
    assert abs(check.bound - bound) <= 1e-12 * bound
    # the reference's gradients carry rounding of about 1e-15 of their own size, 1e-13 of the root of the bound
    assert abs(check.variance.value**0.5 - variance**0.5) <= 1e-12 * variance**0.5 + 1e-12 * bound**0.5
    assert check.variance.value <= check.bounds["operator-norm"].value * (1 + 1e-9) + 1e-24 * bound
    assert check.verdict == "holds"
    assert "failed" not in {assumption.status for assumption in check.assumptions}


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    classes=sign_classes(),
    model=st.sampled_from(MODELS),
    seed=st.integers(0, 2**16),
    loss=losses(),
)
def test_subsets_of_the_parities_and_every_loss(classes, model: str, seed: int, loss, slow_model):
    assert_theorem_1(classes, slow_model(model, classes[1].shape[1], seed), *loss)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    classes=real_classes(),
    model=st.sampled_from(MODELS),
    seed=st.integers(0, 2**16),
    loss=st.sampled_from(["square", "correlation"]),
)
def test_random_orthonormal_functions_on_weighted_points(classes, model: str, seed: int, loss: str, slow_model):
    assert_theorem_1(classes, slow_model(model, classes[1].shape[1], seed), loss, loss, 1.0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    classes=real_classes(),
    row=st.integers(0, 8),
    towards=st.integers(0, 8),
    angle=st.sampled_from([1e-6, 1e-3, 0.1, 1.0]),
)
def test_turning_one_function_towards_another_is_noticed(classes, row: int, towards: int, angle: float):
    table, points, weights = classes
    m = len(table)
    row, towards = row % m, towards % m
    table = table / np.sqrt(weights @ (table**2).T)[:, None]
    if row != towards:
        table[row] = np.cos(angle) * table[row] + np.sin(angle) * table[towards]
    assert gv.FiniteClass(table, points, weights=weights).is_orthonormal == (row == towards)
