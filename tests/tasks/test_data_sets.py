"""Data sets as tasks: the variance over them against the gradient on each, row by row."""

from __future__ import annotations

import pickle

import numpy as np
import pandas
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import gradvar as gv
from gradvar.core.errors import LabelError, NonFiniteError, ShapeError
from gradvar.testing import check_hypothesis_class, reference

LOSSES = ("square", "correlation", "hinge", "logistic")


def random_sets(seed: int, signs: bool = True, weighted: bool = False, same_points: bool = False):
    """Data sets of unequal sizes with rows that repeat, with one label and with two, some of them shared."""
    rng = np.random.default_rng(seed)
    shared, found = rng.normal(size=(4, 3)), []
    for _ in range(int(rng.integers(2, 6))):
        x = (
            shared
            if same_points
            else np.concatenate([rng.normal(size=(rng.integers(1, 7), 3)), shared[:2], shared[:2]])
        )
        y = rng.choice([-1.0, 1.0], size=len(x)) if signs else 3 * rng.normal(size=len(x))
        if not weighted:
            found.append((x, y))
            continue
        weights = rng.dirichlet(np.ones(len(x))) * (rng.random(len(x)) < 0.8)
        weights[0] += 0.1
        found.append((x, y, weights / weights.sum()))
    return found


def task_gradients(sets, model: gv.MLP, loss: str) -> tuple[np.ndarray, list[float]]:
    """c_A = sum_i w_i dloss/dp(p(x_i), y_i) dp/dw(x_i), one row at a time, and E||u||^2 of each."""
    gradients, squares = [], []
    for x, y, *weights in sets:
        w = weights[0] if weights else np.full(len(x), 1 / len(x))
        rows = []
        for i in range(len(x)):
            p = float(reference.mlp_predict(model.weights, model.biases, "tanh", x[i : i + 1])[0])
            g = reference.mlp_gradient(model.weights, model.biases, "tanh", x[i : i + 1])[0]
            rows.append(reference.loss_derivative(loss, p, float(y[i])) * np.asarray(g))
        gradients.append(sum(w[i] * rows[i] for i in range(len(x))))
        squares.append(sum(w[i] * rows[i] @ rows[i] for i in range(len(x))))
    return np.array(gradients), squares


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True], ids=["rows", "weights"])
@pytest.mark.parametrize("seed", range(3))
def test_the_variance_is_that_of_the_gradients_on_all_rows(seed, weighted, loss):
    sets = random_sets(seed, signs=loss in ("hinge", "logistic") or seed == 0, weighted=weighted)
    model = gv.MLP.random([3, 4, 1], "tanh", rng=seed)
    prior = np.random.default_rng(seed).dirichlet(np.ones(len(sets)))
    c, squares = task_gradients(sets, model, loss)
    for pi in (None, prior):
        H = gv.TaskClass.from_datasets(sets, pi)
        shares = np.full(len(sets), 1 / len(sets)) if pi is None else pi
        mean = sum(p * row for p, row in zip(shares, c, strict=True))
        truth = float(sum(p * np.sum((row - mean) ** 2) for p, row in zip(shares, c, strict=True)))
        found = gv.gradient_variance(H, model, loss)
        assert found.method == "enumeration"
        assert_allclose(found.value, truth, rtol=1e-11)
        low, high = found.interval
        assert low * (1 - 1e-14) <= truth <= high * (1 + 1e-14)
        check = gv.bound_check(H, model, loss)
        assert check.example_norm_sq.exact
        assert_allclose(check.example_norm_sq.value, shares @ squares, rtol=1e-11)
        assert check.verdict == "no bound"
        theorem = check.bounds["theorem-1"]
        assert_allclose(2.0**theorem.log2, shares.max() * check.gradient_norm_sq.value, rtol=1e-9)
        assert ("max_i pi_i" in theorem.formula) == (pi is not None)
    some = gv.TaskClass.from_datasets(sets, prior).restrict([1, 0, 1])
    pi = prior[[1, 0, 1]] / prior[[1, 0, 1]].sum()
    chosen = c[[1, 0, 1]]
    truth = float(pi @ ((chosen - pi @ chosen) ** 2).sum(axis=1))
    assert_allclose(gv.gradient_variance(some, model, loss).value, truth, rtol=1e-11)


def test_data_sets_on_the_same_points_are_a_finite_class():
    sets = random_sets(1, same_points=True)
    prior = np.random.default_rng(0).dirichlet(np.ones(len(sets)))
    model = gv.MLP.random([3, 4, 1], rng=0)
    tasks = gv.TaskClass.from_datasets(sets, prior)
    targets = gv.FiniteClass([y for _, y in sets], sets[0][0], prior=prior)
    for loss in LOSSES:
        one, other = (gv.gradient_variance(H, model, loss).value for H in (tasks, targets))
        assert_allclose(one, other, rtol=1e-11)


def test_samples_hold_the_exact_variance():
    """Of 10 intervals at 99% at most 2 miss (P < 2e-4)."""
    sets, model = random_sets(4, signs=False, weighted=True), gv.MLP.random([3, 4, 1], rng=0)
    H = gv.TaskClass.from_datasets(sets, np.random.default_rng(1).dirichlet(np.ones(len(sets))))
    truth = gv.gradient_variance(H, model).value
    sampled = [
        gv.gradient_variance(H, model, method="monte-carlo", max_samples=4096, rtol=0, confidence=0.99, rng=seed)
        for seed in range(10)
    ]
    assert sum(not one.interval[0] <= truth <= one.interval[1] for one in sampled) <= 2


@pytest.mark.parametrize("weighted", [False, True], ids=["rows", "weights"])
def test_it_is_a_task_class(weighted):
    sets = random_sets(2, weighted=weighted)
    H = gv.TaskClass.from_datasets(sets, np.random.default_rng(1).dirichlet(np.ones(len(sets))))
    check_hypothesis_class(H).raise_if_failed()
    check_hypothesis_class(H.restrict(range(len(sets)))).raise_if_failed()
    assert len(H) == len(sets)
    x, y = H.draw([1, 0], 200, rng=0)
    assert (x.shape, y.shape) == ((2, 200, 3), (2, 200))
    rows = {(*row, label) for row, label in zip(sets[1][0].tolist(), sets[1][1].tolist(), strict=True)}
    rows = {(tuple(row[:-1]), row[-1]) for row in rows}
    assert all((tuple(row), label) in rows for row, label in zip(x[0].tolist(), y[0].tolist(), strict=True))
    copy = pickle.loads(pickle.dumps(H))
    model = gv.MLP.random([3, 4, 1], rng=0)
    assert gv.gradient_variance(copy, model).interval == gv.gradient_variance(H, model).interval
    run = gv.descend(H.member(0), model, "hinge", steps=5, learning_rate=0.1, rng=0)
    assert run.steps[-1] == 5


def test_a_task_is_a_function_on_its_own_points():
    H = gv.TaskClass.from_datasets([([[1.0], [2.0], [1.0]], [1, -1, -1]), ([[3.0]], [1])])
    assert_array_equal(H.member(0)([[2.0], [1.0], [2.0]]), [-1.0, 0.0, -1.0])
    with pytest.raises(ValueError, match="labels are known nowhere else"):
        H.member(0)([[3.0]])
    assert repr(H) == "TaskClass.from_datasets(4 rows of R^1: 2 data sets of 1 to 3 points)"
    assert "2 data sets of 1 to 3 points" in str(gv.bound_check(H, gv.Linear([0.5])))


def test_frames_are_data_sets():
    sets = random_sets(3)
    model = gv.MLP.random([3, 4, 1], rng=0)
    plain = gv.gradient_variance(gv.TaskClass.from_datasets(sets), model).value
    frames = [(pandas.DataFrame(x), pandas.Series(y)) for x, y in sets]
    assert gv.gradient_variance(gv.TaskClass.from_datasets(frames), model).value == plain


X = np.ones((2, 3))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ([], ShapeError, "`datasets` must have at least one data set"),
        (5, TypeError, "`datasets` must be a sequence of pairs"),
        ([X], TypeError, r"`datasets\[0\]` must be a pair \(X, y\), or \(X, y, weights\), got ndarray"),
        ([(X, [1, 1]), (X, [1])], ShapeError, r"`datasets\[1\]` must be X of shape .* got \(2, 3\) and \(1,\)"),
        ([(X, [[1, 0], [0, 1]])], ShapeError, r"`datasets\[0\]\[1\]` must have shape \(n,\), got \(2, 2\)"),
        ([(X, [1, 1]), (X[:, :2], [1, 1])], ShapeError, r"one dimension, got X with \[3, 2\] columns"),
        ([(X, [1, np.nan])], NonFiniteError, r"`datasets\[0\]\[1\]` must be finite"),
        ([(X, [1, 1], [1, 1])], ValueError, r"`datasets\[0\]\[2\]` must sum to one, got the sum 2; divide"),
        ([(X, ["a", "b"])], TypeError, r"`datasets\[0\]\[1\]` must be an array of real numbers"),
        ([(X[:0], [])], ShapeError, r"`datasets\[0\]` must be X of shape"),
    ],
    ids=["none", "number", "array", "lengths", "vectors", "columns", "nan", "weights", "words", "empty"],
)
def test_what_is_no_data_set_is_named(given, error, words):
    with pytest.raises(error, match=words):
        gv.TaskClass.from_datasets(given)


def test_labels_zero_and_one_are_no_signs_and_several_outputs_are_refused():
    H = gv.TaskClass.from_datasets([(X, [0, 1]), (X + 1, [1, 1])])
    with pytest.raises(LabelError, match="accepts labels -1 and \\+1 only"):
        gv.gradient_variance(H, gv.Linear([1.0] * 3), "hinge")
    with pytest.raises(ShapeError, match="must have the same number of outputs"):
        gv.gradient_variance(H, gv.MLP.random([3, 4, 2], rng=0))
    with pytest.raises(ValueError, match="`prior` must sum to one"):
        gv.TaskClass.from_datasets([(X, [0, 1]), (X + 1, [1, 1])], prior=[1, 1])
