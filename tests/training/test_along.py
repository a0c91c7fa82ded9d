"""`along`: each checkpoint is a bound check, all on the same inputs; the table, the plot, and what goes wrong."""

import pickle

import matplotlib
import numpy as np
import pytest

import gradvar as gv

matplotlib.use("agg")

import matplotlib.pyplot as plt

H = gv.SparseParities(40, 2)
SAMPLED = {"method": "monte-carlo", "rtol": 0, "max_samples": 512}


def models(n=3):
    """A model on its way: all weights grow."""
    start = gv.MLP.random([40, 4, 4, 1], rng=0)
    return [start.with_parameters(start.parameters * (1 + 0.1 * i)) for i in range(n)]


def timeless(results):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in results.to_dicts()]


class Lying(gv.SparseParities):
    """A class that says a thousand times its covariance."""

    def covariance(self, x, x2):
        return 1000 * super().covariance(x, x2)


class Seen(gv.Linear):
    """A linear model that keeps the inputs of its gradients."""

    def __init__(self, weights):
        super().__init__(weights)
        self.seen = []

    def tangent_factors(self, x):
        self.seen.append(x.copy())
        return super().tangent_factors(x)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_checkpoint_is_a_bound_check():
    found = gv.along(H, models(), "hinge", rng=3, **SAMPLED)
    assert found.steps == [0, 1, 2]
    for model, check, row in zip(models(), found.checks, found.to_dicts(), strict=True):
        expected = gv.bound_check(H, model, "hinge", rng=3, **SAMPLED)
        assert check.variance.value == expected.variance.value == row["value"]
        assert check.variance.interval == expected.variance.interval == (row["low"], row["high"])
        assert expected.bound == row["bound"]
        assert expected.ratio == row["ratio"]
        assert expected.verdict == row["verdict"]
        assert row["n_samples"] == 512
        assert row["exact"] is False


def test_every_step_takes_the_same_inputs():
    run = [Seen(np.linspace(0.1, 1, 40) * scale) for scale in (1.0, 1.3, 2.0)]
    gv.along(H, run, rng=0, **SAMPLED)
    inputs = [np.sort(np.concatenate(model.seen), axis=0) for model in run]
    assert inputs[0].shape[0] >= 512
    assert np.array_equal(inputs[0], inputs[1])
    assert np.array_equal(inputs[0], inputs[2])
    alone = Seen(np.linspace(0.1, 1, 40))
    gv.bound_check(H, alone, rng=1, **SAMPLED)
    assert not np.array_equal(inputs[0], np.sort(np.concatenate(alone.seen), axis=0))


@pytest.mark.large
def test_a_pilot_of_the_same_inputs_as_well():
    run = [Seen(np.linspace(0.1, 1, 40) * scale) for scale in (1.0, 1.3)]
    gv.along(H, run, method="monte-carlo", max_samples=2**13, rng=0)
    first, second = (np.concatenate(model.seen) for model in run)
    first, second = ({row.tobytes() for row in rows} for rows in (first, second))
    assert min(len(first), len(second)) > 2048
    assert first <= second or second <= first


@pytest.mark.large
def test_changes_have_less_noise_than_values():
    # Common random numbers: over 24 seeds the change of a small step spreads less than a tenth of what it would with
    # independent inputs.
    start = models(1)[0]
    run = [start, start.with_parameters(start.parameters * 1.02)]
    values = np.array([[c.variance.value for c in gv.along(H, run, rng=seed, **SAMPLED).checks] for seed in range(24)])
    independent = np.hypot(*values.std(axis=0))
    assert (values[:, 1] - values[:, 0]).std() < independent / 10


def test_exact_methods_are_taken_where_they_apply():
    found = gv.along(gv.SparseParities(8, 2), [gv.MLP.random([8, 4, 1], rng=seed) for seed in range(3)])
    assert all(row["exact"] for row in found.to_dicts())


def test_all_forms_of_snapshots_say_the_same():
    expected = timeless(gv.along(H, models(), rng=0, **SAMPLED))

    def training():
        yield from enumerate(models())

    tracker = gv.along(H, rng=0, **SAMPLED)
    assert len(tracker) == 0
    for step, model in enumerate(models()):
        assert tracker.record(step, model) is tracker.checks[-1]
    for other in (
        tracker,
        gv.along(H, training(), rng=0, **SAMPLED),
        gv.along(H, dict(training()).items(), rng=0, **SAMPLED),
    ):
        assert timeless(other) == expected
    assert list(tracker) == tracker.to_dicts()


def test_a_row_is_computed_before_training_goes_on_to_change_the_model():
    class Trained(gv.Linear):
        n_parameters = 40

    model = Trained(np.linspace(0.1, 1, 40))
    tracker = gv.along(H, rng=0, **SAMPLED)
    check = tracker.record(0, model)
    value, (row,), text = check.variance.value, tracker.to_dicts(), str(tracker)
    model.weights = np.zeros(40)
    model.n_parameters = 1
    assert (check.variance.value, tracker.to_dicts(), str(tracker)) == (value, [row], text)
    assert (row["value"], row["n_parameters"]) == (value, 40)


def test_a_loop_of_ones_own():
    # Plain NumPy training of p = <w, x> on x_1 x_2, the model a formula.
    rng, w = np.random.default_rng(0), np.zeros(40)
    tracker = gv.along(H, rng=0, **SAMPLED)
    for step in range(21):
        x = H.inputs.sample(64, rng)
        w = w - 0.1 * ((x @ w - x[:, 0] * x[:, 1]) @ x / 64)
        if step % 10 == 0:
            tracker.record(step, gv.from_function(lambda x, w=w: x @ w, lambda x: x, 40))
    assert tracker.steps == [0, 10, 20]
    # A linear model's gradient has degree 1: nothing of it depends on which pair of coordinates is the target, so the
    # variance is 0 at every step, and the same inputs give the same estimate of it.
    assert len({check.variance.value for check in tracker.checks}) == 1
    assert all(check.verdict == "holds" for check in tracker.checks)


def test_a_parity_is_trained_and_the_variance_obeys_the_bound_all_along():
    K = gv.SparseParities(10, 2)
    run = gv.descend(
        K.member(0),
        gv.MLP.random([10, 32, 1], "relu", rng=0),
        "hinge",
        steps=600,
        learning_rate=0.02,
        record=50,
        rng=0,
    )
    found = gv.along(K, run, "hinge")
    assert found.steps == run.steps.tolist() == list(range(0, 601, 50))
    assert run.accuracies[0] < 0.7
    assert run.accuracies[-1] > 0.95
    for model, row in zip(run.snapshots, found.to_dicts(), strict=True):
        assert row["verdict"] == "holds"
        assert row["exact"]
        assert 0 < row["value"] <= row["bound"]
        assert row["bound"] == pytest.approx(row["gradient_norm_sq"] / 45, rel=1e-12)
        assert row["value"] == gv.gradient_variance(K, model, "hinge").value


@pytest.mark.large
def test_a_class_that_lies_is_found_out_at_every_checkpoint():
    found = gv.along(Lying(40, 2), models(), rng=0, method="monte-carlo", max_samples=8192, rtol=0)
    assert [row["verdict"] for row in found.to_dicts()] == ["violated"] * 3
    assert "violated at 3 of 3 checkpoints" in repr(found)


def test_results_show_themselves(terminal):
    found = gv.along(H, zip((0, 10, 1000), models(), strict=True), rng=0, progress=True, **SAMPLED)
    assert "3checkpoint" in terminal.readouterr().err.replace(" ", "")
    assert repr(found).startswith("Along(SparseParities(dim=40, degree=2), ")
    assert repr(gv.along(H)) == "Along(SparseParities(dim=40, degree=2), no checkpoints)"
    head, *lines = str(found).splitlines()
    assert head.split()[:3] == ["step", "variance", "bound"]
    assert [line.split()[0] for line in lines] == ["0", "10", "1000"]
    assert "<table>" in found._repr_html_()
    table = found.to_pandas()
    assert table["step"].tolist() == [0, 10, 1000]
    assert table["value"].tolist() == [check.variance.value for check in found.checks]


def test_a_plot_shows_variance_interval_and_bound_over_the_steps():
    found = gv.along(H, zip((0, 10, 1000), models(), strict=True), rng=0, **SAMPLED)
    ax = found.plot()
    assert ax.get_xscale() == "linear"
    assert ax.get_xlim()[0] <= 0 < 1000 <= ax.get_xlim()[1]
    curves = [line.get_xydata().tolist() for line in ax.lines]
    rows = found.to_dicts()
    assert [[row["step"], row["bound"]] for row in rows] in curves
    low = gv.along(H, models(), rng=5, **SAMPLED)
    assert min(check.variance.interval[0] for check in low.checks) < 0
    assert low.plot().get_yscale() == "linear"
    near = gv.along(gv.Parities(6), [gv.Linear([1.0] * 6)] * 2).plot()
    assert near.get_yscale() == "linear"  # the bound is all but reached
    far = gv.along(gv.SparseParities(8, 3), [gv.Linear([1.0] * 8), gv.MLP.random([8, 4, 1], rng=0)]).plot(
        "step", "ratio"
    )
    assert far.get_yscale() == "linear"
    wide = gv.along(gv.SparseParities(8, 4), [gv.MLP.random([8, 4, 1], rng=seed) for seed in range(2)])
    assert wide.plot().get_yscale() == "log"
    _, mine = plt.subplots()
    assert found.plot(y="ratio", ax=mine) is mine
    assert "at 3 of 3 checkpoints" in " ".join(mine.get_title().split())
    with pytest.raises(ValueError, match="`y` must be one of"):
        found.plot(y="height")
    with pytest.raises(ValueError, match="there are no checkpoints to draw"):
        gv.along(H).plot()


def test_ctrl_c_hands_back_the_finished_checkpoints():
    def training():
        yield from enumerate(models(2))
        raise KeyboardInterrupt

    with pytest.raises(gv.Interrupted) as interrupt:
        gv.along(H, training(), rng=0, **SAMPLED)
    assert interrupt.value.results.steps == [0, 1]
    assert interrupt.value.estimate is None
    assert "Along(" in str(interrupt.value)


@pytest.mark.large
def test_ctrl_c_in_an_estimate_hands_that_back_too():
    # 2048 inputs go to the regression; tiles of 512 come after, and the third one stops, whichever thread makes it.
    calls = []

    class Slow(gv.Linear):
        def predict(self, x):
            calls.append(len(x))
            if sum(calls) > 3500:
                raise KeyboardInterrupt
            return super().predict(x)

    linear = gv.Linear(np.linspace(0.1, 1, 40))
    with pytest.raises(gv.Interrupted) as interrupt:
        gv.along(
            gv.SparseParities(40, 1),
            [linear, Slow(linear.weights)],
            method="monte-carlo",
            rtol=0,
            max_samples=4096,
            rng=0,
        )
    assert interrupt.value.results.steps == [0]
    assert interrupt.value.estimate.n_samples >= 512


def test_an_error_keeps_the_checkpoints_before_and_says_the_step():
    tracker = gv.along(H, rng=0, **SAMPLED)
    tracker.record(5, models()[0])
    with pytest.raises(ValueError, match="`step` 5 is recorded already"):
        tracker.record(5, models()[1])
    broken = gv.from_function(lambda x: x[:, 0] / 0.0, lambda x: x[:, :1], 1)
    with np.errstate(divide="ignore"), pytest.raises(gv.NonFiniteError):
        tracker.record(6, broken)
    assert tracker.steps == [5]
    assert len(tracker.to_dicts()) == len(tracker.checks) == 1
    with pytest.raises(gv.ShapeError, match="dimension 3") as error:
        gv.along(H, [(7, gv.Linear([1.0] * 3)), (8, models()[0])], rng=0, **SAMPLED)
    assert error.value.__notes__ == ["in the snapshot at step 7"]


def test_an_error_in_a_later_snapshot_hands_back_the_checkpoints_before():
    with pytest.raises(gv.CheckpointError, match=r"after step 0: ShapeError: .*; in the snapshot at step 7") as error:
        gv.along(H, [(0, models()[0]), (7, gv.Linear([1.0] * 3))], rng=0, **SAMPLED)
    assert isinstance(error.value.__cause__, gv.ShapeError)
    assert error.value.results.steps == [0]
    assert error.value.results.to_dicts()[0]["value"] == gv.along(H, models(1), rng=0, **SAMPLED).to_dicts()[0]["value"]
    again = pickle.loads(pickle.dumps(error.value))
    assert (str(again), again.results.steps) == (str(error.value), [0])


def test_so_does_an_error_in_the_training_between_two_of_them():
    def training():
        yield from enumerate(models(2))
        gv.descend(H.member(0), gv.Linear([1.0] * 40), steps=50, learning_rate=1e300, rng=0)

    with pytest.raises(gv.CheckpointError, match="after step 1: DivergedError: training diverged") as error:
        gv.along(H, training(), rng=0, **SAMPLED)
    assert error.value.results.steps == [0, 1]
    assert isinstance(error.value.__cause__.results, gv.Descent)


@pytest.mark.parametrize("rng", [None, np.random.SeedSequence(1, spawn_key=(2,)), np.random.default_rng(0)])
def test_whatever_the_randomness_all_checkpoints_share_it(rng):
    found = gv.along(H, [models()[0]] * 2, rng=rng, **SAMPLED)
    assert found.checks[0].variance.value == found.checks[1].variance.value
    assert found.checks[0].variance.value == gv.gradient_variance(H, models()[0], rng=found.seed, **SAMPLED).value


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3,), TypeError, "`H` must be a hypothesis class"),
        ((H, 3), TypeError, "`snapshots` must be a Descent, models, or pairs"),
        ((H, gv.Linear([1.0] * 40)), TypeError, "`snapshots` must be a Descent, models, or pairs"),
        ((H, ["model"]), TypeError, "`snapshots` must be a Descent, models, or pairs"),
        ((H, [(-1, gv.Linear([1.0] * 40))]), ValueError, "`step` must be an integer >= 0"),
        ((H, [], "absolute"), ValueError, "`loss` must be one of"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        gv.along(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rtol": -1}, "`rtol`"),
        ({"confidence": 1}, "`confidence`"),
        ({"method": "guess"}, "`method`"),
        ({"rng": -1}, "`rng`"),
    ],
)
def test_wrong_settings_are_named_before_training(options, message):
    with pytest.raises(ValueError, match=message):
        gv.along(H, **options)
