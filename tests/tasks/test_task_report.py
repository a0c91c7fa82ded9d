"""The bound check of tasks that come with inputs of their own."""

import json
import math
import signal
from concurrent.futures import Executor

import matplotlib
import numpy as np
import pytest

import gradvar as gv
from gradvar.core.errors import LabelError
from gradvar.results.interruption import Interrupted
from gradvar.tasks.enumeration import TaskEnumeration
from gradvar.tasks.pairs import TaskPairs
from gradvar.testing import reference

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def planted():
    return gv.bound_check(gv.PlantedParities(50, 5), gv.Linear(np.zeros(50)), rng=0)


@pytest.fixture(scope="module")
def network():
    H, model = gv.PlantedParities(12, 3), gv.MLP.random([12, 16, 1], "relu", rng=0)
    return gv.bound_check(H, model, "hinge", method=TaskPairs(), rng=0)


@pytest.fixture(scope="module")
def infinite():
    def around_a_centre(rng):
        centre = rng.standard_normal(3)
        return lambda n, rng: (centre + rng.standard_normal((n, 3)), np.sign(rng.standard_normal(n)))

    H = gv.TaskClass(around_a_centre, 3, labels="signs")
    return gv.bound_check(H, gv.MLP.random([3, 4, 1], rng=0), "logistic", method=TaskPairs(), rng=0)


def test_theorem_1_is_not_applicable_and_the_reason_is_the_inputs(planted, network, infinite):
    for check in (planted, network, infinite):
        theorem = check.bounds["theorem-1"]
        assert not theorem.applicable
        assert "every task draws inputs of its own" in theorem.reason
        assert check.verdict == "no bound"
        assert "Theorem 1 does not apply" in check.reason
        assert "beyond the second moment no bound is known" in check.reason
        shared = next(a for a in check.assumptions if a.name == "shared inputs")
        assert shared.status == "failed"
        assert not any(a.name == "orthonormal class" for a in check.assumptions)
        assert not check.bounds["operator-norm"].applicable
        assert math.isnan(check.bounds["operator-norm"].log2)
        assert set(check.bounds) == {"theorem-1", "operator-norm", "second-moment"}


def test_positive_control_is_far_above_what_theorem_1_would_say(planted):
    # Var = k (1 - k/n)/4 = 1.125, G^2/|H| = 50/C(50, 5)
    assert planted.variance.value == pytest.approx(1.125, rel=1e-14)
    assert planted.bound_name is None
    assert planted.bounds["theorem-1"].value == pytest.approx(50 / math.comb(50, 5), rel=1e-9)
    assert math.isnan(planted.bound)
    assert math.isnan(planted.ratio)
    assert "Var is 4.767e+04 times G^2/|H|" in planted.reason
    assert repr(planted) == ("BoundCheck(no bound: variance=1.125)")


def test_an_estimate_is_said_to_be_about_so_many_times(network):
    assert "Var is about" in network.reason


def test_second_moment_is_a_bound_and_is_named_so(planted, network, infinite):
    for check in (planted, network, infinite):
        second = check.bounds["second-moment"]
        assert second.applicable
        assert check.variance.value < second.value == pytest.approx(check.example_norm_sq.value, rel=1e-12)
        assert "second moment" in str(check)


def test_norm_of_the_gradient_on_one_example_is_that_of_the_tables(slow_model):
    # E||u||^2 over all tasks and inputs
    slow = slow_model("mlp-3-tanh", 6)
    check = gv.bound_check(gv.PlantedParities(6, 3), slow.model, method=TaskEnumeration(), rng=0)
    x = reference.cube(6)
    p, g = slow.predict(x), slow.gradient(x)
    probabilities, labels = reference.planted_parities(6, 3)
    squares = (p - labels) ** 2 * (g**2).sum(axis=1)
    expected = float((probabilities * squares).sum(axis=1).mean())
    found = check.example_norm_sq
    assert found.exact
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert check.variance.value <= expected


def test_samples_are_counted_against_the_noise_of_one_example(planted, network):
    for check in (planted, network):
        samples = next(c for c in check.consequences if c.name == "samples")
        assert "E||u||^2" in samples.statement
        end = check.variance.value if check.variance.exact else check.variance.interval[1]
        assert 2**samples.log2 == pytest.approx(check.example_norm_sq.value / end, rel=1e-9)


def test_g_squared_is_over_the_inputs_of_a_random_task(network):
    inputs, model = gv.PlantedParities(12, 3).inputs, gv.MLP.random([12, 16, 1], "relu", rng=0)
    expected = inputs.weights(0, 4096) @ (model.gradient(inputs.points(0, 4096)) ** 2).sum(axis=1)
    assert network.gradient_norm_sq.exact
    assert network.gradient_norm_sq.value == pytest.approx(expected, rel=1e-12)


def test_report_reads_as_one_about_tasks(planted, network, infinite):
    for check in (planted, network, infinite):
        text = check.explain()
        assert "over tasks h with inputs of their own" in str(check)
        assert "u = dloss/dw" in str(check)
        assert "over tasks h with inputs of their own" in text
        assert "E||u||^2, u = dloss/dw" in text
        assert "E||s||^2" not in text
        assert "NOT APPLICABLE" in text
        assert "Verdict: NO BOUND" in text
        assert max(map(len, text.splitlines())) <= 100
    assert "would need the density of each" in " ".join(planted.explain().split())
    page = planted._repr_html_()
    assert "second moment" in page
    assert "E||u||^2" in page


def test_infinitely_many_tasks_have_no_yardstick(infinite):
    assert infinite.log2_size == math.inf
    assert math.isnan(infinite.bound)
    assert math.isnan(infinite.ratio)
    assert "times G^2/|H|" not in infinite.reason
    labels = next(a for a in infinite.assumptions if a.name == "labels")
    assert labels.status == "estimated"


def test_labels_of_planted_parities_are_proved(network):
    assert next(a for a in network.assumptions if a.name == "labels").status == "proved"


def test_to_dict_is_json(planted, network, infinite):
    for check in (planted, network, infinite):
        back = json.loads(json.dumps(check.to_dict(), allow_nan=False))
        assert back["verdict"] == "no bound"
        example = check.example_norm_sq
        assert back["example_norm_sq"]["value"] == (example.value if example.resolved else None)


def test_targets_that_share_their_inputs_are_reported_as_before():
    check = gv.bound_check(gv.Parities(6), gv.Linear(np.ones(6)))
    assert check.example_norm_sq is None
    assert "tasks" not in str(check)
    assert check.to_dict()["example_norm_sq"] is None
    assert "second-moment" not in check.bounds


def test_one_task_has_no_variance():
    check = gv.bound_check(gv.PlantedParities(5, 5), gv.Linear(np.ones(5)), rng=0)
    assert (check.variance.value, check.variance.exact, check.consequences) == (0.0, True, ())
    assert check.verdict == "no bound"
    assert "times G^2/|H|" not in check.reason


def test_labels_that_are_not_what_was_claimed_are_an_error():
    H = gv.TaskClass(lambda rng: lambda n, rng: (np.ones((n, 2)), np.full(n, 0.5)), 2, labels="signs")
    with pytest.raises(LabelError, match="claims labels"):
        gv.bound_check(H, gv.Linear([1.0, 1.0]), "hinge", method=TaskPairs(), rng=0)


def test_ctrl_c_while_the_norms_are_taken_hands_back_the_variance():
    class Interrupting(Executor):
        def submit(self, fn, /, *args, **kwargs):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        gv.bound_check(gv.PlantedParities(50, 5), gv.Linear(np.zeros(50)), executor=Interrupting(), rng=0)
    assert caught.value.estimate.value == pytest.approx(1.125, rel=1e-14)


def test_plot_marks_theorem_1_as_not_applicable(planted, infinite):
    import matplotlib.pyplot as plt

    for check, expected in ((planted, True), (infinite, False)):
        figure, ax = plt.subplots()
        assert check.plot(ax) is ax
        labels = [tick.get_text() for tick in ax.get_yticklabels()]
        assert ("Theorem 1\n(not applicable)" in labels) is expected
        assert "second moment" in labels
        figure.canvas.draw()
        plt.close(figure)
