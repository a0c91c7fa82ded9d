"""The choice of a method: the cheapest exact one, asked once; samples where none is left; and it says why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

import gradvar as gv
from gradvar.core.numbers import Scaled
from gradvar.estimation.settings import Settings
from gradvar.methods.base import Sampler, choose

PROBLEM = gv.Problem(gv.Parities(3), gv.Linear(np.ones(3)))
SETTINGS = Settings.checked(0.1, 0.95, 2**10, 0, None, False)


@dataclass(frozen=True)
class Exact:
    """A method that says its work, its value and its error, or why it declines, at once or on the way."""

    name: str
    cost: float
    value: float = 1.0
    error: float = 0.0
    declined: str | None = None
    fails: str | None = None
    asked: list[str] = field(default_factory=list, compare=False)

    def declines(self, problem: gv.Problem) -> ValueError | None:
        self.asked.append("declines")
        return None if self.declined is None else gv.TooLargeError(self.declined)

    def work(self, problem: gv.Problem) -> float:
        self.asked.append("work")
        return self.cost

    def plan(self, problem: gv.Problem) -> str:
        return "a plan"

    def estimate(self, problem: gv.Problem, settings: Settings) -> gv.Estimate:
        if self.fails:
            raise gv.NotApplicableError(self.fails)
        return gv.Estimate.exactly(Scaled(self.value, self.error), self.name, "exact")


@dataclass(frozen=True)
class Samples(Sampler):
    """A sampler that notes whether it was asked."""

    name: str = "samples"
    declined: str | None = None
    asked: list[str] = field(default_factory=list, compare=False)

    def declines(self, problem: gv.Problem) -> ValueError | None:
        self.asked.append("declines")
        return None if self.declined is None else gv.NotApplicableError(self.declined)

    def plan(self, problem: gv.Problem) -> str:
        return "samples"

    def estimate(self, problem: gv.Problem, settings: Settings) -> gv.Estimate:
        return gv.Estimate.exactly(Scaled(7.0, 1.0), self.name, "sampled")


def test_the_cheaper_of_two_exact_methods_is_taken_whatever_their_order():
    dear, cheap, sampler = Exact("dear", 1e6), Exact("cheap", 1e3), Samples()
    for methods in ((dear, cheap, sampler), (cheap, dear, sampler)):
        choice = choose(methods, PROBLEM)
        assert choice.method is cheap
        assert choice.reason == "cheap: a plan; not dear: it takes about 1e+06 multiplications, more than 1e+03"
        assert choice.estimate(PROBLEM, SETTINGS).method == "cheap"
        assert choice.estimate(PROBLEM, SETTINGS).seconds > 0
    assert sampler.asked == []
    assert dear.asked == cheap.asked == ["declines", "work"] * 2


def test_a_method_that_takes_too_much_work_is_left_out_where_there_is_another():
    dear, sampler = Exact("dear", 1e6), Samples()
    assert choose((dear, sampler), PROBLEM, max_work=1e4).method is sampler
    assert "not dear: it takes about 1e+06 multiplications, more than 1e+04" in (
        choose((dear, sampler), PROBLEM, max_work=1e4).reason
    )
    assert choose((dear, Samples(declined="no covariance")), PROBLEM, max_work=1e4).method is dear
    assert choose((dear, sampler), PROBLEM, max_work=1e6).method is dear


def test_the_guarantee_of_a_sample_names_the_exact_method_that_was_left_out():
    @dataclass(frozen=True)
    class Drawn(Samples):
        def estimate(self, problem: gv.Problem, settings: Settings) -> gv.Estimate:
            return replace(super().estimate(problem, settings), exact=False)

    cheap, dear = Exact("cheap", 1e3), Exact("dear", 1e6)

    def guarantee(methods, most: float) -> str:
        return choose(methods, PROBLEM, max_work=most).estimate(PROBLEM, SETTINGS).guarantee

    assert guarantee((dear, Drawn()), 1e4) == "sampled; method='dear' is exact, and takes about 1e+06 multiplications"
    assert "method='cheap' is exact" in guarantee((dear, cheap, Drawn()), 1e2)
    assert guarantee((Drawn(),), 1e4) == "sampled"
    assert guarantee((dear, cheap, Drawn()), 1e4) == "exact"


def test_a_default_call_takes_no_exact_method_that_is_dearer_than_its_samples_may_be():
    network = gv.MLP.random([20, 64, 64, 1], "relu", rng=0)
    choice = gv.Auto().select(gv.Problem(gv.SparseParities(20, 5), network))
    assert choice.method.name == "monte-carlo"
    assert "method='enumeration' is exact" in choice.dear
    smaller = gv.Problem(gv.SparseParities(16, 5), gv.MLP.random([16, 64, 64, 1], "relu", rng=0))
    assert gv.Auto().select(smaller).method.name == "enumeration"
    # all parities need no sum over members: beyond the work their norm is sampled, and Parseval holds all the same
    for dim, wide in ((12, 64), (22, 512)):
        problem = gv.Problem(gv.Parities(dim), gv.MLP.random([dim, wide, wide, 1], rng=0))
        assert gv.Auto().select(problem).method.name == "closed-form"


def test_what_declines_on_the_way_is_passed_over():
    failing, dear, sampler = Exact("failing", 1.0, fails="an error of 1e-3"), Exact("dear", 1e6), Samples()
    assert choose((failing, dear, sampler), PROBLEM).estimate(PROBLEM, SETTINGS).method == "dear"
    assert sampler.asked == []
    assert choose((failing, sampler), PROBLEM).estimate(PROBLEM, SETTINGS).method == "samples"
    with pytest.raises(gv.NotApplicableError, match=r"an error of 1e-3; no covariance"):
        choose((failing, Samples(declined="no covariance")), PROBLEM).estimate(PROBLEM, SETTINGS)


def test_of_two_numbers_known_to_few_digits_the_better_known_is_taken():
    vague, vaguer, sharp = (
        Exact("vague", 1.0, error=1e-3),
        Exact("vaguer", 2.0, error=1e-2),
        Exact("sharp", 3.0, error=1e-9),
    )
    assert choose((vague, vaguer, Samples()), PROBLEM).estimate(PROBLEM, SETTINGS).method == "vague"
    assert choose((vague, vaguer, sharp), PROBLEM).estimate(PROBLEM, SETTINGS).method == "sharp"
    assert choose((sharp, vague), PROBLEM).estimate(PROBLEM, SETTINGS).method == "sharp"


def test_where_none_covers_the_problem_each_says_why():
    methods = Exact("a", 1.0, declined="too large"), Exact("b", 1.0, declined="too odd"), Samples(declined="too rare")
    with pytest.raises(gv.NotApplicableError, match=r"\(not a: too large; not b: too odd; not samples: too rare\)"):
        choose(methods, PROBLEM)
    with pytest.raises(gv.TooLargeError, match=r"^too large$"):
        choose(methods[:1], PROBLEM)


def test_of_tiny_problems_the_one_that_loads_no_compiled_code_is_taken():
    ones = gv.MLP([np.ones((2, 6)), np.ones((1, 2))], None, "tanh")
    for problem in (gv.Problem(gv.Parities(6), gv.Linear(np.ones(6))), gv.Problem(gv.SparseParities(6, 2), ones)):
        choice = gv.Auto().select(problem)
        assert choice.method.name == "closed-form"
        assert "not enumeration: it takes about 2.7e+08 multiplications" in choice.reason
    # Where both load it the work decides as before, and a table of values needs none.
    both = gv.Problem(gv.SparseParities(8, 3), gv.MLP.random([8, 3, 1], rng=0))
    assert gv.Auto().select(both).method.name == "enumeration"
    assert gv.ClosedForm().work(both) > gv.Enumeration().work(both) > 2**28
    table = gv.FiniteClass(np.eye(4), gv.inputs.Hypercube(2).points(0, 4))
    assert gv.Enumeration().work(gv.Problem(table, gv.Linear(np.ones(2)))) < 2**28


def test_auto_takes_the_cube_of_few_points_before_a_long_series():
    rng = np.random.default_rng(0)
    model = gv.MLP([1000 * rng.standard_normal((3, 5)), rng.standard_normal((1, 3))], None, "tanh")
    problem = gv.Problem(gv.SparseParities(5, 2), model)
    choice = gv.Auto().select(problem)
    assert choice.method.name == "enumeration"
    assert "not closed-form: " in choice.reason
    assert "multiplications, more than" in choice.reason
    assert gv.ClosedForm().declines(problem) is None


def test_auto_takes_the_theorem_where_the_cube_is_large():
    problem = gv.Problem(gv.SparseParities(20, 3), gv.MLP.random([20, 4, 1], rng=0))
    choice = gv.Auto().select(problem)
    assert choice.method.name == "closed-form"
    assert choice.reason.startswith("closed-form: parities of one degree and one hidden layer")
    assert "not enumeration: it takes about" in choice.reason


def test_a_closed_form_that_costs_more_is_reached_by_its_name():
    H, model = gv.SparseParities(8, 3), gv.MLP.random([8, 3, 1], rng=0)
    assert gv.gradient_variance(H, model).method == "enumeration"
    assert gv.gradient_variance(H, model, method="closed-form").method.startswith("closed-form")
    assert gv.gradient_variance(H, model, method=gv.ClosedForm()).method.startswith("closed-form")


def test_the_method_that_was_asked_for_says_why_it_declines():
    model = gv.MLP.random([40, 3, 3, 1], rng=0)
    with pytest.raises(gv.TooLargeError, match=r"^method='enumeration' declines this problem: enumerating 2\^40"):
        gv.gradient_variance(gv.SparseParities(40, 2), model, method="enumeration")
    with pytest.raises(gv.NotApplicableError, match=r"^method='closed-form' declines this problem: no theorem covers"):
        gv.gradient_variance(gv.SparseParities(40, 2), model, method="closed-form")
