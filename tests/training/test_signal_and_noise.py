"""Along training: the alignment of the target that is trained on, and the noise of one example's gradient."""

import math

import matplotlib
import numpy as np
import pytest

import gradvar as gv
from gradvar.losses import as_loss
from gradvar.testing import reference

matplotlib.use("agg")

MODEL = gv.MLP.random([5, 6, 1], "tanh", rng=1)


def brute_force(target, model, loss, flips=0.0):
    """||E[h s]||^2 and E||u||^2 - ||E u||^2 over all inputs and both labels, one gradient an example."""
    x = target.hypotheses.inputs.points(0, 32)
    h, g = np.asarray(target(x)), model.gradient(x)
    a, b = as_loss(loss).split(model.predict(x))
    examples = [((a + y * b)[:, None] * g, share / 32) for y, share in ((h, 1 - flips), (-h, flips))]
    mean = sum(share * u.sum(axis=0) for u, share in examples)
    noise = sum(share * ((u - mean) ** 2).sum() for u, share in examples)
    signal = (1 - 2 * flips) * ((h * b)[:, None] * g).mean(axis=0)
    return signal @ signal, noise


@pytest.mark.parametrize("loss", ["square", "hinge", "logistic"])
@pytest.mark.parametrize("flips", [0.0, 0.2])
def test_both_are_the_sums_over_all_examples(loss, flips):
    H = gv.Parities(5).noisy(flips) if flips else gv.Parities(5)
    target = H.member(11)
    (row,) = gv.along(gv.Parities(5), [MODEL], loss, target=target, batch=16)
    alignment, noise = brute_force(target, MODEL, loss, flips)
    assert row["alignment"] == pytest.approx(alignment, rel=1e-10)
    assert row["noise"] == pytest.approx(noise, rel=1e-10)
    assert row["batch_noise"] == row["noise"] / 16
    assert row["noise_low"] <= noise * (1 + 1e-12)
    assert row["noise_high"] >= noise * (1 - 1e-12)


def test_targets_that_are_not_signs():
    H = gv.FiniteClass(np.array([[0.0, 2.0, -1.0], [1.0, 0.5, 3.0]]), np.eye(3))
    model = gv.Linear([0.3, -1.0, 2.0])
    (row,) = gv.along(H, [model], target=H.member(1), batch=2)
    u = (model.predict(np.eye(3)) - np.array([1.0, 0.5, 3.0]))[:, None] * np.eye(3)
    assert row["noise"] == pytest.approx((u**2).sum() / 3 - (u.mean(axis=0) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("rng", range(3))
def test_a_sampled_noise_holds_the_sum_over_all_inputs(rng):
    # 2^17 inputs are drawn from, 2^16 would be summed over; ||E u||^2 is a third of E||u||^2 here.
    H, model = gv.SparseParities(17, 1), gv.Linear([0.1] * 17)
    target = H.member(0)
    (row,) = gv.along(H, [model], target=target, batch=128, rng=rng)
    # u = (<w, x> - x_1) x: E u = w - e_1, E||u||^2 = 17 ||w - e_1||^2
    square = 0.9**2 + 16 * 0.01
    assert row["noise_low"] < 16 * square < row["noise_high"]
    assert row["noise_high"] - row["noise_low"] < 0.3 * row["noise"]


def test_a_descent_says_its_target_and_its_batch():
    H = gv.Parities(5)
    run = gv.descend(H.member(7), MODEL, "hinge", steps=40, batch=32, learning_rate=0.05, record=20, rng=0)
    assert (run.target, run.batch) == (H.member(7), 32)
    found = gv.along(H, run, "hinge")
    assert [row["batch_noise"] for row in found] == [noise.value / 32 for noise in found.noises]
    for row, snapshot in zip(found, run.snapshots, strict=True):
        assert row["alignment"] == gv.gradient_alignment(H.member(7), snapshot, "hinge").value
    plain = gv.descend(lambda x: x[:, 0], MODEL, steps=1, learning_rate=0.1, inputs=H.inputs, rng=0)
    assert plain.target is None
    assert "noise" not in gv.along(H, plain).to_dicts()[0]
    planted = gv.PlantedParities(5, 3)
    on_tasks = gv.descend(planted.member(0), MODEL, "hinge", steps=1, learning_rate=0.1, batch=8, rng=0)
    found = gv.along(planted, on_tasks, "hinge")
    assert [row["batch_noise"] for row in found] == [noise.value / 8 for noise in found.noises]
    assert found.crossing is None, "a task has no alignment"
    labels = {text.get_text() for text in found.plot().get_legend().get_texts()}
    assert "noise of a batch" in labels
    assert "alignment of the target" not in labels


def noise_of(x, y, weights, model, loss):
    """E||u||^2 - ||E u||^2 over weighted examples."""
    p, g = model.predict(x), model.gradient(x)
    u = np.array([reference.loss_derivative(loss, float(p[i]), float(y[i])) * g[i] for i in range(len(x))])
    return weights @ (u**2).sum(axis=1) - ((weights @ u) ** 2).sum()


@pytest.mark.parametrize("loss", ["square", "hinge"])
def test_the_noise_of_a_task_is_that_of_its_own_examples(loss):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 3))
    x[3] = x[2]  # with two labels
    sets = [(x + shift, np.array([1.0, -1, 1, -1, 1, 1]), rng.dirichlet(np.ones(6))) for shift in (0.0, 1.0)]
    model = gv.MLP.random([3, 4, 1], rng=1)
    H = gv.TaskClass.from_datasets(sets)
    (row,) = gv.along(H, [model], loss, target=H.member(1), batch=4)
    assert row["noise"] == pytest.approx(noise_of(*sets[1], model, loss), rel=1e-10)
    assert row["batch_noise"] == row["noise"] / 4
    planted = gv.PlantedParities(5, 3)
    task, points = planted.member(2), reference.cube(5)
    weights = planted.probabilities(task.which[None], points)[0]
    (row,) = gv.along(planted, [MODEL], loss, target=task)
    assert row["noise"] == pytest.approx(noise_of(points, task(points), weights, MODEL, loss), rel=1e-10)


def test_the_noise_of_a_task_that_is_drawn_holds_the_sum():
    # x uniform on three points with two labels each, drawn together
    x, y = np.array([[1.0, 0], [0, 1], [1, 1], [1, 1]]), np.array([1.0, -1, 1, -1])

    def task(n, rng):
        rows = rng.integers(0, 4, size=n)
        return x[rows], y[rows]

    H, model = gv.TaskClass(lambda rng: task, 2, labels="signs"), gv.MLP.random([2, 3, 1], rng=0)
    target = H.restrict(H.sample(1, rng=0)).member(0)
    (row,) = gv.along(H, [model], "hinge", target=target, rng=0)
    truth = noise_of(x, y, np.full(4, 0.25), model, "hinge")
    assert row["noise_low"] < truth < row["noise_high"]
    assert row["noise_high"] - row["noise_low"] < 0.3 * truth


def test_crossing_where_the_alignment_exceeds_the_noise_of_a_batch():
    # p = <w, x>, y = x_1, square loss: A = 1 at every w, noise = 2 ||w - e_1||^2 in three dimensions.
    H = gv.Parities(3)
    models = [gv.Linear([w, 0.0, 0.0]) for w in (-3.0, -1.0, 0.0, 0.9)]
    found = gv.along(H, models, target=H.member(subset=[0]), batch=4)
    np.testing.assert_allclose([row["noise"] for row in found], [32, 8, 2, 0.02], rtol=1e-9)
    assert [row["alignment"] for row in found] == pytest.approx([1.0] * 4)
    assert found.crossing == 2
    assert gv.along(H, models[:2], target=H.member(subset=[0]), batch=4).crossing is None
    assert gv.along(H, models, target=H.member(subset=[0])).crossing is None
    assert gv.along(H, models).crossing is None


@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_the_plot_shows_both_and_where_they_cross(scale):
    H = gv.Parities(3)
    models = [gv.Linear([w, 0.0, 0.0]) for w in (-3.0, -1.0, 0.0, 0.9)]
    target = H.member(subset=[0]) if scale else None
    ax = gv.along(H, models, target=target, batch=4).plot()
    labels = {text.get_text() for text in ax.get_legend().get_texts()}
    new = {"alignment of the target", "noise of a batch", "alignment exceeds noise"}
    assert labels & new == (new if scale else set())
    if scale:
        lines = {line.get_label(): line for line in ax.lines}
        np.testing.assert_allclose(lines["noise of a batch"].get_ydata(), [8, 2, 0.5, 0.005], rtol=1e-9)
        assert lines["alignment exceeds noise"].get_xdata()[0] == 2
        low, high = ax.get_ylim()
        assert low < 0.005 < 8 < high
        assert math.isfinite(high)


def test_a_batch_must_be_a_number():
    with pytest.raises((TypeError, ValueError), match="`batch`"):
        gv.along(gv.Parities(5), [MODEL], batch=0)
