"""A file of records that an earlier state of the library has written is gone on with, to the last byte."""

import dataclasses
import json
import math
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from slow import timeless

import gradvar as gv

BEFORE = Path(__file__).parent / "records_of_0_1_0.jsonl"


def problems():
    """Exact, sampled, of vanishing size, of infinitely many targets, and of a model without parameters."""
    grid = gv.grid(
        H={"cube": gv.Parities(6), "pairs": gv.SparseParities(12, 2)},
        model={"mlp": lambda H, seed: gv.MLP.random([H.inputs.dim, 4, 1], rng=seed), "formula": _sum},
        loss=["square", gv.MarginLoss(_slope, 1.0, "mine")],
        seed=[3, 4],
        rtol=0.2,
        max_samples=512,
    )
    sampled = gv.MLP.random([30, 3, 3, 1], rng=0)
    return [
        *grid,
        gv.NamedProblem("sampled", gv.SparseParities(30, 2), sampled, method="monte-carlo", max_samples=512),
        gv.NamedProblem("tiny", gv.Parities(5000), gv.Linear([1.0] * 5000), max_samples=64),
        gv.NamedProblem("infinite", gv.LinearPeriodic(3, 2.0), gv.Cosine([0.3] * 3)),
        gv.NamedProblem({"depth": 2}, gv.SparseParities(50, 2), gv.InfiniteMLP(depth=2, activation="relu")),
    ]


def _slope(m):
    return -1 / (1 + np.exp(m))


def _sum(H):
    return gv.Linear(np.linspace(0.1, 1.0, H.inputs.dim))


@pytest.fixture
def path(tmp_path):
    return Path(shutil.copy(BEFORE, tmp_path / "f"))


def test_nothing_is_computed_again_and_no_byte_is_changed(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = gv.sweep(problems(), path=path, progress=False)
    assert path.read_bytes() == BEFORE.read_bytes()
    seconds = [json.loads(line)["seconds"] for line in BEFORE.read_text().splitlines()]
    assert [row["seconds"] for row in results] == seconds


def test_computed_again_the_records_are_the_same(path):
    before, now = (timeless(found) for found in (gv.SweepResults.read(path), gv.sweep(problems(), progress=False)))
    assert len(before) == len(now) == 20
    for old, new in zip(before, now, strict=True):
        assert list(old) == list(new)
        numbers = ["value", "log2", "bound", "log2_bound", "ratio", "gradient_norm_sq", "log2_size"]
        assert new["exact"] >= old["exact"]  # what was sampled may be exact now, and not the other way round
        if not new["exact"]:  # the interval knows more today of what the samples may have missed
            assert new["low"] <= old["value"] <= new["high"]
            assert 0.5 < (new["high"] - new["low"]) / (old["high"] - old["low"]) < 2
        elif (
            old["exact"] and old["value"] > 0
        ):  # the ends allow for the rounding of the method, and a cheaper one may be taken
            assert new["low"] <= old["value"] <= new["high"]
        sampled = 1e-6 * (old["standard_error"] or 0.0)
        for name in numbers:
            # G^2 of the cosine was sampled, to a tenth, and is exact now
            moved = old.get("name") == "infinite" and name in ("bound", "log2_bound", "ratio", "gradient_norm_sq")
            rtol = 0.1 if moved else 1e-12
            same = old[name] is None is new[name] or math.isclose(new[name], old[name], rel_tol=rtol, abs_tol=sampled)
            assert same, name
        for name in ("dim", "model", "loss", "seed", "status", "bound_name", "verdict", "n_parameters"):
            assert old.get(name) == new.get(name), name


def test_another_problem_of_the_name_is_still_found_out(path):
    items = problems()
    items[-2] = dataclasses.replace(items[-2], model=gv.Cosine([0.31] * 3))
    with pytest.raises(ValueError, match="its model was Cosine"):
        gv.sweep(items, path=path, progress=False)


def test_a_record_of_an_option_that_is_gone_is_of_another_problem(path):
    assert "precision='double'" in path.read_text()
    path.write_text(path.read_text().replace("precision='double'", "precision='single'"))
    with pytest.raises(ValueError, match=r"its settings was .*precision='single'"):
        gv.sweep(problems(), path=path, progress=False)
