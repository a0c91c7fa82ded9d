"""Results that went through JSON are what they were: the report, the verdict, the plot, the numbers to the last bit."""

from __future__ import annotations

import json
from dataclasses import fields

import matplotlib
import numpy as np
import pytest

import gradvar as gv

matplotlib.use("Agg")

import matplotlib.pyplot as plt

NETWORK, DEEP = gv.MLP.random([6, 5, 1], rng=0), gv.MLP.random([30, 4, 4, 1], rng=0)
CHECKS = {
    "exact": lambda: gv.bound_check(gv.Parities(6), NETWORK),
    "no bound applies": lambda: gv.bound_check(gv.Parities(6), NETWORK, "hinge"),
    "numbers that underflow": lambda: gv.bound_check(gv.Parities(10_000), gv.Linear(np.ones(10_000))),
    "sampled": lambda: gv.bound_check(gv.SparseParities(30, 2), DEEP, rng=0, max_samples=512),
    "unresolved": lambda: gv.bound_check(gv.Parities(40), gv.Linear(np.ones(40)), method="monte-carlo", max_samples=64),
    "infinite class": lambda: gv.bound_check(gv.LinearPeriodic(4, radius=2.0), gv.Linear(np.ones(4)), max_samples=512),
    "sampled norm": lambda: gv.bound_check(gv.RandomNetworks(6, (3,)), NETWORK, rng=1, max_samples=512),
    "zero": lambda: gv.bound_check(gv.SparseParities(6, 0), NETWORK),
    "tasks": lambda: gv.bound_check(gv.PlantedParities(6, 3), NETWORK, rng=2, max_samples=512),
    "infinite width": lambda: gv.bound_check(gv.Parities(6), gv.InfiniteMLP(3)),
}


@pytest.mark.parametrize("kind", CHECKS)
def test_a_check_comes_back_from_json(kind: str):
    check = CHECKS[kind]()
    data = check.to_dict()
    for back in (gv.BoundCheck.from_dict(json.loads(json.dumps(data, allow_nan=False))), gv.BoundCheck.from_dict(data)):
        assert (str(back), repr(back), back._repr_html_()) == (str(check), repr(check), check._repr_html_())
        assert (back.verdict, back.seed, back.log2_size) == (check.verdict, check.seed, check.log2_size)
        # repr: nan is no equal of itself
        assert [repr(getattr(back, f.name)) for f in fields(check)] == [
            repr(getattr(check, f.name)) for f in fields(check)
        ]
        assert back.to_dict() == data
        drawn = []
        for one in (check, back):
            ax = one.plot()
            texts = [tick.get_text() for tick in ax.get_yticklabels()]
            drawn.append(([line.get_xydata().tolist() for line in ax.lines], texts, ax.get_xlim(), ax.get_title()))
            plt.close(ax.figure)
        assert repr(drawn[0]) == repr(drawn[1])


def test_an_estimate_comes_back():
    for H, options in ((gv.Parities(6), {}), (gv.SparseParities(30, 2), {"max_samples": 256})):
        found = gv.gradient_variance(H, NETWORK if H.dim == 6 else DEEP, rng=0, **options)
        assert gv.Estimate.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


@pytest.mark.parametrize("data", [{}, {"value": 1.0}, None, [], {"fields": 3}, {"fields": {"mantissa": 1.0}}])
def test_what_is_no_such_dict_is_named(data):
    with pytest.raises(ValueError, match=r"`data` must be what `to_dict\(\)` of Estimate returned: it lacks"):
        gv.Estimate.from_dict(data)
