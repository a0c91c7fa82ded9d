"""Means over the seeds of a sweep, axes of any name, and the columns beside the variance."""

import math

import numpy as np
import pytest
from scipy import integrate, special

import gradvar as gv
from gradvar.experiments.sweep.records import Record


def record(seed, value, half=0.0, exact=False, **fields):
    values = {
        "status": "done",
        "exact": exact,
        "value": value,
        "low": value - half,
        "high": value + half,
        "verdict": "holds",
        "seconds": 1.0,
    }
    return Record(parameters={"width": 8, "seed": seed}, seed=seed, **{**values, **fields})


def means(*records, **settings):
    return gv.SweepResults(records).mean_over("seed", **settings).to_dicts()


def student_quantile(level, degrees):
    """The two-sided quantile of Student's distribution, by integrating its density and bisection."""
    constant = special.gamma((degrees + 1) / 2) / math.sqrt(degrees * math.pi) / special.gamma(degrees / 2)

    def inside(t):
        return 2 * integrate.quad(lambda u: constant * (1 + u * u / degrees) ** (-(degrees + 1) / 2), 0, t)[0]

    low, high = 0.0, 200.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) < level else (low, middle)
    return low


@pytest.mark.parametrize(("level", "values"), [(0.95, [1.0, 4.0, 2.0]), (0.8, [0.5, -0.25, 3.0, 1.0, 7.0, 0.0])])
def test_the_interval_is_students(level, values):
    n = len(values)
    mean = sum(values) / n
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1))
    half = student_quantile(level, n - 1) * spread / math.sqrt(n)
    (row,) = means(*(record(i, v) for i, v in enumerate(values)), confidence=level)
    assert (row["n"], row["missing"], row["confidence"], row["verdicts"]) == (n, 0, level, f"{n} holds")
    np.testing.assert_allclose([row["value"], row["low"], row["high"]], [mean, mean - half, mean + half], rtol=1e-9)


def test_the_interval_covers_the_mean_over_initialisations():
    # 400 sweeps of 5 seeds of a normal Var, each with its own error: 95% +- 3.3% (three standard errors).
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        (row,) = means(*(record(i, 10 + rng.normal(0, 1) + rng.normal(0, 0.5), 0.98) for i in range(5)))
        inside += row["low"] <= 10 <= row["high"]
    assert 0.917 <= inside / 400 <= 0.99


def test_one_seed_has_no_interval_and_neither_has_a_selection():
    (row,) = means(record(0, 2.0, 0.1))
    assert (row["value"], row["low"], row["high"], row["n"], row["missing"]) == (2.0, None, None, 1, 0)
    unresolved = record(2, 9.0, low=None, high=None)
    failed = record(3, 1.0, status="failed", error="E: why")
    table = gv.SweepResults((record(0, 2.0, 0.1), record(1, 4.0, 0.1), unresolved, failed)).mean_over("seed")
    (row,) = table
    assert (row["value"], row["low"], row["high"], row["n"], row["missing"]) == (3.0, None, None, 2, 2)
    assert str(table).splitlines()[1].endswith("2")
    (row,) = means(unresolved, failed)
    assert (row["value"], row["n"], row["missing"]) == (None, 0, 2)


def test_the_interval_is_never_narrower_than_those_of_the_numbers():
    # No spread: what two samples of half width .3 leave of their mean is .3/sqrt(2), what two bounds on an error do .3.
    (row,) = means(record(0, 1.0, 0.3), record(1, 1.0, 0.3))
    assert row["high"] - 1 == pytest.approx(0.3 / math.sqrt(2))
    (row,) = means(record(0, 1.0, 0.3, exact=True), record(1, 1.0, 0.3, exact=True))
    assert (row["low"], row["high"]) == pytest.approx((0.7, 1.3))


def test_numbers_that_underflow_have_a_mean():
    logs = [-3000.0, -3001.0, -3002.0]
    rows = [record(i, 0.0, log2=log, log2_low=log, log2_high=log, exact=True) for i, log in enumerate(logs)]
    (row,) = means(*rows)
    assert row["value"] == 0.0
    assert row["log2"] == pytest.approx(-3000 + math.log2((1 + 0.5 + 0.25) / 3), abs=1e-12)
    half = student_quantile(0.95, 2) * np.std([1, 0.5, 0.25], ddof=1) / math.sqrt(3)
    assert row["log2_high"] == pytest.approx(-3000 + math.log2(1.75 / 3 + half), abs=1e-9)
    assert "e-9" in str(gv.SweepResults(tuple(rows)).mean_over("seed"))


def test_the_parameter_must_be_one():
    with pytest.raises(ValueError, match="`name` must be one of the parameters 'width', 'seed', got 'depth'"):
        gv.SweepResults((record(0, 1.0),)).mean_over("depth")
    with pytest.raises(ValueError, match="`confidence` must be"):
        means(record(0, 1.0), confidence=1)


def network(H, seed, width, activation):
    return gv.MLP.random([H.inputs.dim, *width, 1], activation, rng=seed)


def test_axes_are_handed_to_the_function_by_name_and_become_columns():
    problems = gv.grid(
        H={(4, k): gv.SparseParities(4, k) for k in (1, 2)},
        model=network,
        width={"flat": (6,), (3, 3): (3, 3)},
        activation=["tanh", "relu"],
        seed=range(2),
        alignment=True,
    )
    assert len(problems) == 16
    assert list(problems[0].parameters) == ["H", "dim", "degree", "model", "loss", "seed", "width", "activation"]
    last = problems[-1]
    assert (last.parameters["H"], last.parameters["width"], last.parameters["activation"]) == (
        "(4, 2)",
        "(3, 3)",
        "relu",
    )
    assert repr(last.build().model) == "MLP(4-3-3-1, relu)"
    rows = gv.sweep(problems, progress=False).to_dicts()
    for problem, row in zip(problems, rows, strict=True):
        model = network(problem.H, problem.seed, (6,) if row["width"] == "flat" else (3, 3), row["activation"])
        check = gv.bound_check(problem.H, model, rng=problem.seed)
        assert row["value"] == check.variance.value
        assert row["signal_norm_sq"] == check.signal_norm_sq.value
        assert row["signal_share"] == pytest.approx(row["value"] / row["signal_norm_sq"], rel=1e-12)
        assert row["alignment"] == gv.gradient_alignment(problem.H, model, rng=problem.seed).value
        # E_h ||E[h s]||^2 by the table of all inputs and members
        x = problem.H.inputs.points(0, 16)
        means_ = np.asarray(problem.H.evaluate(problem.H.members(), x)) @ -model.gradient(x) / 16
        assert row["alignment"] == pytest.approx((means_**2).sum(axis=1).mean(), rel=1e-10)


def test_alignment_is_a_column_only_where_it_is_asked_for(tmp_path):
    arguments = {"H": gv.Parities(3), "model": gv.Linear([1.0, 2.0, 3.0])}
    path = tmp_path / "sweep.jsonl"
    (row,) = gv.sweep(gv.grid(**arguments), path=path, progress=False)
    assert row["alignment"] is None
    with pytest.raises(ValueError, match="alignment"):
        gv.sweep(gv.grid(**arguments, alignment=True), path=path, progress=False)
    with pytest.raises(TypeError, match="`alignment` must be True or False"):
        gv.grid(**arguments, alignment=1)


@pytest.mark.parametrize(
    ("model", "axes", "error", "message"),
    [
        (gv.Linear([1.0] * 3), {"width": [2]}, TypeError, r"function of \(H, seed, width\).*a model, not a function"),
        (lambda H: gv.Linear([1.0] * 3), {"depth": 2}, TypeError, "by name.*unexpected keyword argument 'depth'"),
        (lambda H, dim: gv.Linear([1.0] * dim), {"dim": [3]}, ValueError, "`dim` is a column of"),
        (lambda H, value: gv.Linear([1.0] * 3), {"value": [3]}, ValueError, "which is a column of the results"),
        (lambda H, width: gv.Linear([1.0] * 3), {"width": []}, ValueError, "`width` must hold at least one"),
        (lambda H, width: gv.Linear([1.0] * 3), {"width": [(2,), "(2,)"]}, ValueError, "two entries called"),
    ],
    ids=["a model", "another function", "of the class", "a result", "empty", "twice"],
)
def test_axes_that_do_not_fit(model, axes, error, message):
    with pytest.raises(error, match=message):
        gv.grid(H=gv.Parities(3), model=model, **axes)
