"""Tables of rows: which columns there are, which tell rows apart, as text and as a data frame."""

import sys
from types import MappingProxyType

import numpy as np
import pytest

import gradvar as gv
from gradvar.experiments.training.results import Descent
from gradvar.results.table import Table, aligned, columns, distinguishing_columns


class Rows(Table):
    column_types = MappingProxyType({"loss": float, "absent": float})

    def __init__(self, *rows):
        self.rows = rows

    def to_dicts(self):
        return list(self.rows)


def test_columns_are_named_in_the_order_in_which_they_occur():
    assert columns([{"b": 1}, {"a": 1, "b": 2}, {"c": None}]) == ["b", "a", "c"]
    assert columns([]) == []


def test_distinguishing_columns_are_the_fewest_that_tell_rows_apart():
    rows = [{"H": f"P{d}", "dim": d, "loss": loss, "same": 1} for d in (1, 2) for loss in ("a", "b")]
    names = ["H", "dim", "loss", "same"]
    assert distinguishing_columns(rows, names) == ["dim", "loss"]
    assert distinguishing_columns(rows, names, ["dim"]) == ["loss"]
    assert distinguishing_columns(rows[:1], names) == []
    assert distinguishing_columns([{"a": 1}, {"b": 1}, {"a": 1, "b": 1}], ["a", "b"]) == ["a", "b"]


def test_text_is_aligned_and_has_no_spaces_at_the_end_of_a_line():
    assert aligned([["a", "bc"], ["def", ""], ["", "g"]]) == "a    bc\ndef\n     g"


def test_a_data_frame_has_nan_for_none_and_floats_in_the_columns_of_numbers():
    table = Rows({"step": 0, "loss": None, "note": None}, {"step": 1, "loss": 0.5, "note": "x"})
    frame = table.to_pandas()
    assert frame["step"].tolist() == [0, 1]
    assert frame["loss"].dtype == np.float64
    assert np.isnan(frame["loss"][0])
    assert list(frame["note"].isna()) == [True, False]
    assert frame["note"].dtype != np.float64
    assert list(Rows({"loss": None}).to_pandas()["loss"].isna()) == [True]
    assert list(table) == table.to_dicts()


def test_a_data_frame_without_rows_has_the_columns_of_numbers():
    frame = Rows().to_pandas()
    assert frame.columns.tolist() == ["loss", "absent"]
    assert len(frame) == 0
    model = gv.Linear([1.0] * 5)
    descent = Descent(
        model=model,
        n_steps=0,
        steps=np.array([], dtype=np.int64),
        losses=np.array([]),
        accuracies=np.array([]),
        snapshots=(),
        seconds=0.0,
        seed=0,
    )
    assert descent.to_pandas().dtypes.to_dict() == {"step": np.int64, "loss": np.float64, "accuracy": np.float64}


def test_a_descent_and_checkpoints_are_tables_too(monkeypatch):
    model = gv.MLP.random([5, 3, 1], rng=0)
    run = gv.descend(gv.Parities(5).member(0), model, steps=4, record=2, learning_rate=0.1, rng=0)
    assert list(run) == run.to_dicts()
    frame = run.to_pandas()
    assert frame["step"].tolist() == [0, 2, 4]
    assert frame["loss"].tolist() == run.losses.tolist()
    checkpoints = gv.along(gv.Parities(5), run)
    assert list(checkpoints) == checkpoints.to_dicts()
    monkeypatch.setitem(sys.modules, "pandas", None)
    for table in (run, checkpoints):
        with pytest.raises(ImportError, match=r"gradient-variance\[pandas\]"):
            table.to_pandas()
