"""The one int that names the randomness of a call gives its bits again, whatever `rng` was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import gradvar as gv

H, MODEL = gv.SparseParities(40, 2), gv.MLP.random([40, 3, 2, 1], rng=0)
SAMPLED = {"method": "monte-carlo", "max_samples": 256, "rtol": 0}
SEEDS = {
    "none": lambda: None,
    "int": lambda: 7,
    "numpy": lambda: np.int64(7),
    "ints": lambda: [7, 8],
    "sequence": lambda: np.random.SeedSequence(7),
    "child": lambda: np.random.SeedSequence(7, spawn_key=(1,)),
    "generator": lambda: np.random.default_rng(7),
}


def bits(check: gv.BoundCheck) -> list[object]:
    """All numbers of a check, without the time they took."""
    parts = check.variance, check.gradient_norm_sq, check.signal_norm_sq
    return [*(repr(replace(part, norms=None, seconds=0.0).to_dict()) for part in parts), check.bounds, check.reason]


@pytest.mark.parametrize("name", SEEDS)
def test_the_seed_of_a_result_gives_the_same_bits(name: str):
    first = gv.bound_check(H, MODEL, rng=SEEDS[name](), **SAMPLED)
    seed = first.seed
    assert type(seed) is int
    assert first.to_dict()["seed"] == first.variance.to_dict()["seed"] == seed
    assert f"rng={seed} gives the same bits" in str(first)
    assert bits(gv.bound_check(H, MODEL, rng=seed, **SAMPLED)) == bits(first)
    again = gv.gradient_variance(H, MODEL, rng=seed, **SAMPLED)
    assert (again.mantissa, again.mantissa_interval, again.seed) == (
        first.variance.mantissa,
        first.variance.mantissa_interval,
        seed,
    )
    tracker = gv.along(H, [MODEL], rng=seed, **SAMPLED)
    assert (tracker.seed, bits(tracker.checks[0])) == (seed, bits(first))
    run = gv.descend(H.member(0), MODEL, steps=2, batch=4, learning_rate=0.1, rng=SEEDS[name]())
    same = gv.descend(H.member(0), MODEL, steps=2, batch=4, learning_rate=0.1, rng=run.seed)
    assert type(run.seed) is int
    assert np.array_equal(same.model.parameters, run.model.parameters)
    assert {row["seed"] for row in run.to_dicts()} == {run.seed}
    assert f"rng={run.seed}" in repr(run)
    row = gv.sweep(gv.grid(H=H, model=MODEL, seed=seed, **SAMPLED), progress=False).to_dicts()[0]
    assert (row["seed"], row["value"], row["bound"]) == (seed, first.variance.value, first.bound)


@pytest.mark.parametrize("name", ["variance", "gradient_norm_sq", "signal_norm_sq", "example_norm_sq", "bounds"])
def test_the_seed_is_in_the_report_whatever_it_was_that_was_sampled(name: str):
    exact = gv.bound_check(gv.Parities(4), gv.Linear([1.0] * 4), rng=3)
    part = replace(exact.variance, exact=False)
    if name == "bounds":
        part = {**exact.bounds, "operator-norm": replace(exact.bounds["operator-norm"], exact=False)}
    for text in (str(check := replace(exact, **{name: part})), check._repr_html_()):
        assert "rng=3 gives the same bits" in text
    assert "rng=" not in exact._repr_html_()


def test_an_exact_result_says_its_seed_where_it_does_not_print_it():
    check = gv.bound_check(gv.Parities(4), gv.Linear([1.0] * 4), rng=3)
    assert check.to_dict()["seed"] == check.seed == 3
    assert "rng=" not in str(check)
