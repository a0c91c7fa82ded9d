"""The ratios of the discrete logarithm, against the gradients of all members."""

import pytest

import gradvar as gv
from gradvar.experiments import discrete_log


def test_the_ratio_is_that_of_the_gradients_of_all_members():
    result = discrete_log.run(primes=[17], widths=[6, 5], rng=3)
    H = gv.DiscreteLog(17)
    model = gv.MLP.random([H.inputs.dim, 6, 5, 1], "sigmoid", 3)
    x = H.inputs.points(0, 16)
    g = model.gradient(x)
    of_members = -H.evaluate(range(1, 17), x) @ g / 16
    variance = ((of_members - of_members.mean(axis=0)) ** 2).sum() / 16
    assert result.rows[0]["ratio"] == pytest.approx(variance / ((g**2).sum() / 16), rel=1e-10)
    assert result.agrees


def test_a_wrong_eigenvalue_is_seen(monkeypatch):
    monkeypatch.setattr(gv.DiscreteLog, "operator_norm", lambda H, centred=True: 1e-9)
    result = discrete_log.run(primes=[101], widths=[4])
    assert [c.what for c in result.comparisons if not c.agrees] == [
        "Var/G² is at most the operator norm",
        "largest p × Var/G²",
        "top Gram eigenvalue, p = 101",
    ]


def test_the_figure_has_the_ratio_the_norm_and_the_paper():
    axes = discrete_log.run(primes=[17, 37], widths=[4]).plot()
    assert [len(ax.lines) for ax in axes] == [3, 3]
    assert all(ax.get_xlabel() == "prime p" for ax in axes)
